//! What the CPUs did in each second of a run, as the kernel counts it.
//!
//! A thread of its own looks at `/proc/stat` once a second, where no measuring thread waits for it.

use std::fs;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;

use crate::clock::now_ns;
use crate::load::Window;
use crate::pin::{self, Cpus};
use crate::server_process::memory_of;

/// Between two looks.
const INTERVAL_NS: u64 = 1_000_000_000;
/// A CPU that never was busier than this, in %, and has no part in the run, is left out.
const IDLE_PERCENT: f64 = 5.0;

/// What the CPUs did during a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CpuSeries {
    /// When each interval began, seconds since the measured time began.
    pub from_s: Vec<f64>,
    /// How long each was.
    pub seconds: Vec<f64>,
    /// The CPUs with a part in the run, and those that were busy all the same.
    pub cpus: Vec<CpuTrack>,
    /// Resident memory of the server's process at the end of each interval, where it is known; an
    /// embedded server's is this program's, with the load generator.
    pub server_memory_bytes: Vec<u64>,
    /// Share of the time of all CPUs that the hypervisor took, in %.
    pub steal_percent: Option<f64>,
}

/// One CPU. The lists have a value for each interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CpuTrack {
    /// Its number.
    pub cpu: usize,
    /// Who is pinned there, where that is known: `loadgen`, `server` or both.
    pub role: Option<&'static str>,
    /// Share of time that it was not idle, in %; stolen time counts as idle.
    pub busy_percent: Vec<f64>,
    /// Share that the hypervisor took, in %.
    pub steal_percent: Vec<f64>,
}

/// Which CPUs have a part.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// The CPUs of the run.
    pub cpus: Cpus,
    /// Whether the server is in this process, and thus on the other CPU.
    pub embedded: bool,
    /// The server's process, where it is known.
    pub server_pid: Option<u32>,
}

impl Parts {
    fn role(&self, cpu: usize) -> Option<&'static str> {
        let (loadgen, server) = (cpu == self.cpus.loadgen, self.embedded && cpu == self.cpus.other);
        match (loadgen, server) {
            (true, true) => Some("loadgen and server"),
            (true, false) => Some("loadgen"),
            (false, true) => Some("server"),
            (false, false) => None,
        }
    }
}

/// The kernel's counters at a time.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    at_ns: u64,
    /// By CPU: its number, and busy, stolen and all ticks.
    cpus: Vec<(usize, [u64; 3])>,
    server_memory_bytes: Option<u64>,
}

/// A running look at the CPUs.
#[derive(Debug)]
pub struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Sample>>,
    parts: Parts,
}

impl Sampler {
    /// Looks once a second from `start_ns` on, so that its seconds are those of the run.
    #[must_use]
    pub fn start(parts: Parts, start_ns: u64) -> Sampler {
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            // Away from the measuring thread's CPU where there is another; a failure costs nothing.
            let _ = pin::release_all();
            let (mut samples, mut next_ns) = (Vec::new(), start_ns);
            let wait = |until_ns: u64| {
                let left = Duration::from_nanos(until_ns.saturating_sub(now_ns()));
                stopped.recv_timeout(left) == Err(RecvTimeoutError::Timeout)
            };
            while wait(next_ns) {
                samples.extend(look(parts.server_pid));
                next_ns = (next_ns + INTERVAL_NS).max(now_ns());
            }
            samples.extend(look(parts.server_pid));
            samples
        });
        Sampler { stop, thread, parts }
    }

    /// What was seen in the measured time.
    #[must_use]
    pub fn finish(self, window: Window) -> CpuSeries {
        let _ = self.stop.send(());
        let samples = self.thread.join().expect("looking at a file does not panic");
        series(&samples, window, self.parts)
    }
}

fn look(server_pid: Option<u32>) -> Option<Sample> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let memory = server_pid.and_then(|pid| memory_of(pid).ok());
    Some(Sample {
        at_ns: now_ns(),
        cpus: stat.lines().filter_map(cpu_line).collect(),
        server_memory_bytes: memory.map(|(now, _)| now),
    })
}

/// Number, and busy, stolen and all ticks, of a line such as `cpu0 1 2 3 4 5 6 7 8 9 10`.
fn cpu_line(line: &str) -> Option<(usize, [u64; 3])> {
    let (number, ticks) = line.strip_prefix("cpu")?.split_once(' ')?;
    let ticks: Vec<u64> = ticks.split_whitespace().filter_map(|tick| tick.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest times are part of user.
    let ticks = ticks.get(..8)?;
    let all: u64 = ticks.iter().sum();
    let (idle, steal) = (ticks[3] + ticks[4], ticks[7]);
    Some((number.parse().ok()?, [all - idle - steal, steal, all]))
}

/// Intervals that lie in the window, up to a quarter of one; all if there is none.
fn series(samples: &[Sample], window: Window, parts: Parts) -> CpuSeries {
    let (slack, pairs) = (250_000_000, samples.windows(2));
    let inside = |pair: &&[Sample]| {
        pair[0].at_ns + slack >= window.start_ns && pair[1].at_ns <= window.end_ns + slack
    };
    let mut pairs: Vec<&[Sample]> = pairs.filter(inside).collect();
    if pairs.is_empty() {
        pairs = samples.windows(2).collect();
    }
    let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else {
        return CpuSeries::default();
    };
    let since_start = |ns: u64| (ns as f64 - window.start_ns as f64) / 1e9;
    let total = |sample: &Sample, of: usize| sample.cpus.iter().map(|cpu| cpu.1[of]).sum::<u64>();
    let all = total(&last[1], 2).saturating_sub(total(&first[0], 2));
    let steal = total(&last[1], 1).saturating_sub(total(&first[0], 1));
    let cpus = first[0].cpus.iter().map(|&(cpu, _)| track(&pairs, cpu, parts.role(cpu)));
    let busy = |track: &CpuTrack| track.busy_percent.iter().any(|&busy| busy > IDLE_PERCENT);
    CpuSeries {
        from_s: pairs.iter().map(|pair| since_start(pair[0].at_ns)).collect(),
        seconds: pairs.iter().map(|pair| (pair[1].at_ns - pair[0].at_ns) as f64 / 1e9).collect(),
        server_memory_bytes: pairs.iter().filter_map(|p| p[1].server_memory_bytes).collect(),
        cpus: cpus.filter(|track| track.role.is_some() || busy(track)).collect(),
        steal_percent: (all > 0).then(|| steal as f64 * 100.0 / all as f64),
    }
}

fn track(pairs: &[&[Sample]], cpu: usize, role: Option<&'static str>) -> CpuTrack {
    let ticks = |sample: &Sample| sample.cpus.iter().find(|of| of.0 == cpu).map(|of| of.1);
    let share = |pair: &[Sample], of: usize| {
        let (Some(from), Some(to)) = (ticks(&pair[0]), ticks(&pair[1])) else { return 0.0 };
        let all = to[2].saturating_sub(from[2]);
        if all == 0 { 0.0 } else { to[of].saturating_sub(from[of]) as f64 * 100.0 / all as f64 }
    };
    CpuTrack {
        cpu,
        role,
        busy_percent: pairs.iter().map(|pair| share(pair, 0)).collect(),
        steal_percent: pairs.iter().map(|pair| share(pair, 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const CPUS: Cpus = Cpus { loadgen: 1, other: 0 };
    const PARTS: Parts = Parts { cpus: CPUS, embedded: true, server_pid: None };

    fn sample(at_ns: u64, busy: [u64; 3]) -> Sample {
        let ticks = |busy: u64| [busy, at_ns / SECOND, at_ns / SECOND * 100];
        let cpus = busy.iter().enumerate().map(|(cpu, &busy)| (cpu, ticks(busy))).collect();
        Sample { at_ns, cpus, server_memory_bytes: None }
    }

    #[test]
    fn a_line_of_the_kernel_is_busy_stolen_and_all_ticks() {
        let line = "cpu3 10 1 20 500 40 3 4 5 99 99";
        assert_eq!(cpu_line(line), Some((3, [38, 5, 583])));
        assert_eq!(cpu_line("cpu  10 1 20 500 40 3 4 5 99 99"), None, "the sum is no CPU");
        assert_eq!(cpu_line("intr 5"), None);
    }

    #[test]
    fn only_the_measured_time_counts_and_idle_cpus_without_a_part_are_left_out() {
        let samples = [
            sample(SECOND, [0, 0, 0]),
            sample(2 * SECOND, [100, 10, 1]),
            sample(3 * SECOND, [150, 110, 2]),
            sample(4 * SECOND, [250, 210, 3]),
        ];
        let window = Window { start_ns: 2 * SECOND, end_ns: 3 * SECOND };
        let series = series(&samples, window, PARTS);
        assert_eq!((series.from_s, series.seconds), (vec![0.0], vec![1.0]));
        let roles: Vec<_> = series.cpus.iter().map(|cpu| (cpu.cpu, cpu.role)).collect();
        assert_eq!(roles, [(0, Some("server")), (1, Some("loadgen"))]);
        assert_eq!(series.cpus[0].busy_percent, [50.0]);
        assert_eq!(series.cpus[1].busy_percent, [100.0]);
        assert_eq!(series.steal_percent, Some(1.0));
    }

    #[test]
    fn a_run_shorter_than_an_interval_has_what_there_is() {
        let samples = [sample(SECOND, [0, 0, 0]), sample(2 * SECOND, [20, 0, 0])];
        let window = Window { start_ns: SECOND + SECOND / 2, end_ns: SECOND + SECOND * 6 / 10 };
        assert_eq!(series(&samples, window, PARTS).cpus[0].busy_percent, [20.0]);
    }
}
