//! Everything that is counted, as Prometheus reads it: its text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::{self, Write};

use super::page::Page;
use crate::base::ids::{CoreId, Millis};
use crate::metrics::{
    CoreMetrics, Counter, Gauge, Histogram, HistogramCell, HttpClass, HttpRequests, HttpStatus,
    Metric, Unit,
};

/// What there is to say besides what cores count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Of this build.
    pub version: &'static str,
    /// When the server was started.
    pub started: Millis,
    /// Cores that it has, whether they have answered or not.
    pub cores: u16,
}

/// What [`page`] shows besides the table: name, type and help.
pub const ABOUT: [(&str, &str, &str); 4] = [
    ("shardway_build_info", "gauge", "1, with the version of the server as label."),
    ("shardway_start_time_seconds", "gauge", "When the server was started, since 1970."),
    ("shardway_cores", "gauge", "Cores that the server has."),
    ("shardway_cores_silent", "gauge", "Cores that have not answered this scrape in time."),
];

/// The metrics of the cores that have answered.
#[must_use]
pub fn page(about: &About, cores: &[(CoreId, Box<CoreMetrics>)]) -> Page {
    let mut text = String::with_capacity(64 * 1024);
    write_all(&mut text, about, cores).expect("a string takes everything");
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Page { status: 200, content_type, body: text.into_bytes() }
}

type Cores<'a> = &'a [(CoreId, Box<CoreMetrics>)];

fn write_all(out: &mut String, about: &About, cores: Cores<'_>) -> fmt::Result {
    let mut all = CoreMetrics::new();
    cores.iter().for_each(|(_, core)| all.merge(core));
    write_about(out, about, cores.len())?;
    let lines = |of: fn(&CoreMetrics, usize) -> u64| (of, &all, cores);
    let counters = lines(|core, at| core.counter(Counter::ALL[at]));
    let metrics: Vec<Metric> = Counter::ALL.iter().map(|c| c.metric()).collect();
    write_values(out, "counter", &metrics, counters)?;
    let gauges = lines(|core, at| core.gauge(Gauge::ALL[at]));
    let metrics: Vec<Metric> = Gauge::ALL.iter().map(|g| g.metric()).collect();
    write_values(out, "gauge", &metrics, gauges)?;
    write_http(out, &all.http)?;
    Histogram::ALL.iter().try_for_each(|h| write_histogram(out, *h, all.histogram(*h)))
}

fn write_about(out: &mut String, about: &About, answered: usize) -> fmt::Result {
    let silent = usize::from(about.cores).saturating_sub(answered);
    let values = [
        format!("{{version=\"{}\"}} 1", about.version),
        format!(" {}.{:03}", about.started.0 / 1000, about.started.0 % 1000),
        format!(" {}", about.cores),
        format!(" {silent}"),
    ];
    for ((name, kind, help), value) in ABOUT.into_iter().zip(values) {
        write_head(out, name, kind, help)?;
        writeln!(out, "{name}{value}")?;
    }
    Ok(())
}

fn write_head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn write_values(
    out: &mut String,
    kind: &str,
    metrics: &[Metric],
    (value, all, cores): (fn(&CoreMetrics, usize) -> u64, &CoreMetrics, Cores<'_>),
) -> fmt::Result {
    let mut shown = "";
    for (at, metric) in metrics.iter().enumerate() {
        let Metric { name, unit, help, label, per_core } = *metric;
        if name != shown {
            write_head(out, name, kind, help)?;
            shown = name;
        }
        if per_core {
            for (id, core) in cores {
                let value = Shown(unit, value(core, at));
                writeln!(out, "{name}{{core=\"{id}\"}} {value}")?;
            }
        } else {
            let value = Shown(unit, value(all, at));
            match label {
                "" => writeln!(out, "{name} {value}")?,
                label => writeln!(out, "{name}{{{label}}} {value}")?,
            }
        }
    }
    Ok(())
}

fn write_http(out: &mut String, requests: &HttpRequests) -> fmt::Result {
    let Metric { name, help, .. } = HttpRequests::METRIC;
    write_head(out, name, "counter", help)?;
    for (class, operation) in HttpClass::ALL {
        for (status, code) in HttpStatus::ALL {
            let n = requests.get(class, status);
            writeln!(out, "{name}{{operation=\"{operation}\",status=\"{code}\"}} {n}")?;
        }
    }
    Ok(())
}

fn write_histogram(out: &mut String, histogram: Histogram, cell: &HistogramCell) -> fmt::Result {
    let Metric { name, unit, help, .. } = histogram.metric();
    write_head(out, name, "histogram", help)?;
    let bounds = histogram.bounds();
    for (&bound, n) in bounds.iter().zip(cell.below(bounds)) {
        // Cells count whole microseconds that have passed: below a bound is at most it. Whole
        // things that are fewer are one less at most.
        let end = if unit == Unit::Micros { bound } else { bound - 1 };
        writeln!(out, "{name}_bucket{{le=\"{}\"}} {n}", Shown(unit, end))?;
    }
    let (count, sum) = (cell.count(), Shown(unit, cell.sum()));
    writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}")
}

/// A value in the unit that Prometheus sees.
struct Shown(Unit, u64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Shown(Unit::Micros, n) => write!(f, "{}.{:06}", n / 1_000_000, n % 1_000_000),
            Shown(Unit::Count | Unit::Bytes, n) => write!(f, "{n}"),
        }
    }
}

#[cfg(test)]
mod tests;
