//! Workloads over the AWS API: the same files, against any Kinesis. What the API has no words for
//! is refused with the reason.

use super::spec::{Kind, Limits, Promise, Rate, Spec};
use crate::bench::Bench;
use crate::failure::{Failure, Result};
use crate::http::{self, PACED_CONNECTIONS, Target};
use crate::workload::Workload;

/// Records of a PutRecords at most (AWS).
const PUT_RECORDS_MAX: u32 = 500;
/// Connections of a closed loop, unless the file has more writers.
const CONNECTIONS_CLOSED: u32 = 8;

/// Runs a workload against `target`.
pub fn measure(bench: &mut Bench<'_>, spec: &Spec, target: &Target) -> Result<()> {
    check(spec).map_err(|why| Failure::Usage(format!("{} over HTTP: {why}", spec.name)))?;
    let rate = match spec.load.rate {
        None => None,
        Some(Rate::Records(rate)) => Some(rate),
        Some(Rate::Share(share)) => {
            let outcome = http::probe(bench, target, &workload(spec, None))?;
            Some((outcome.records_per_s * share).max(1.0))
        }
    };
    for &consumers in spec.consumers.count.all() {
        if bench.interrupted() {
            break;
        }
        let load = Workload { consumers, ..workload(spec, rate) };
        let name = match spec.consumers.count.all() {
            [_] => spec.name.clone(),
            _ => format!("{}, {consumers} consumer(s)", spec.name),
        };
        http::measure_workload(bench, target, &name, &load)?;
    }
    Ok(())
}

fn check(spec: &Spec) -> std::result::Result<(), String> {
    let refused = |why: &str| Err(why.to_owned());
    match spec.kind {
        Kind::Steady | Kind::Drain | Kind::Soak => {}
        Kind::CatchUp => return refused("the replay reads with the native protocol"),
        Kind::Stalled => return refused("credit that is never granted is the native protocol's"),
        Kind::Reshard => return refused("its writers route by the native shard map"),
    }
    if spec.load.skew.is_some() {
        return refused(
            "a batch that is due takes the connection that is free longest, so writers cannot be \
             skewed",
        );
    }
    if spec.stream.durability != Promise::Durable {
        return refused("CreateStream has no durability; the server's own is durable");
    }
    if spec.stream.limits != Limits::Off {
        return refused("CreateStream has no limits; leave stream.limits out");
    }
    if spec.load.batch_records > PUT_RECORDS_MAX {
        return Err(format!("a PutRecords has at most {PUT_RECORDS_MAX} records"));
    }
    Ok(())
}

/// A connection has one request at a time, as an SDK's thread has: what writers of the native
/// protocol have in flight are connections here.
fn workload(spec: &Spec, rate: Option<f64>) -> Workload {
    let load = spec.workload(rate);
    let at_once = spec.load.writers.unwrap_or(1) * spec.load.in_flight.unwrap_or(1);
    let least = if rate.is_some() { PACED_CONNECTIONS } else { CONNECTIONS_CLOSED };
    let connections = spec.load.connections.unwrap_or(at_once.max(least));
    Workload { writers: connections, connections, in_flight: 1, consumer_connections: 1, ..load }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::load;

    #[test]
    fn what_the_api_cannot_do_is_refused_with_the_reason() {
        for (name, reason) in [
            ("catch-up", "native protocol"),
            ("stalled-consumer", "credit"),
            ("reshard", "shard map"),
            ("keyed-skew", "skewed"),
        ] {
            let why = check(&load(name).expect("shipped")).expect_err(name);
            assert!(why.contains(reason), "{name}: {why}");
        }
        for name in ["single-shard", "shards-16", "fan-out", "backlog-drain", "bursts"] {
            assert_eq!(check(&load(name).expect("shipped")), Ok(()), "{name}");
        }
        let text = "about = \"x\"\n[stream]\ndurability = \"memory\"\n";
        assert!(check(&Spec::parse("x", text).expect("valid")).is_err());
    }

    #[test]
    fn what_is_in_flight_are_connections() {
        let text = "about = \"x\"\n[load]\nwriters = 5\nin_flight = 4\n";
        let load = workload(&Spec::parse("x", text).expect("valid"), None);
        assert_eq!((load.writers, load.connections, load.in_flight), (20, 20, 1));
    }
}
