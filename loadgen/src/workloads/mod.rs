//! Workloads as files: what is measured is written down, shipped with the program, and the same for
//! every server and protocol. `loadgen workload --list` names those inside; any TOML file of the
//! same form ([`spec`], `loadgen/WORKLOADS.md`) does as well.

mod native;
mod over_http;
mod replay;
mod spec;

use std::fs;
use std::path::Path;

pub use native::measure;
pub use over_http::measure as measure_over_http;
pub use spec::Spec;

/// The text of a shipped workload.
macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../workloads/", $name, ".toml")))),*]
    };
}

/// Name and text of each shipped workload.
const SHIPPED: &[(&str, &str)] = shipped![
    "single-shard",
    "shards-16",
    "shards-1000",
    "records-100b",
    "records-1kb",
    "records-25kb",
    "records-1mb",
    "keyed-skew",
    "fan-out",
    "fan-out-20",
    "bursts",
    "step",
    "backlog-drain",
    "catch-up",
    "stalled-consumer",
    "reshard",
    "soak",
];

/// The shipped workload with this name, or that of the file with this path.
pub fn load(name: &str) -> Result<Spec, String> {
    if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Spec::parse(name, text);
    }
    let path = Path::new(name);
    if !path.is_file() {
        return Err("neither a file nor a workload of `loadgen workload --list`".to_owned());
    }
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let stem = path.file_stem().map_or(name.into(), |stem| stem.to_string_lossy());
    Spec::parse(&stem, &text)
}

/// The shipped workloads, a line each.
#[must_use]
pub fn list() -> String {
    let wide = SHIPPED.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, text): &(&str, &str)| {
        let about = Spec::parse(name, text).expect("shipped workloads are tested").about;
        format!("{name:wide$}  {about}\n")
    };
    SHIPPED.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::spec::Rate;
    use super::*;

    const LEAST: &str = "about = \"x\"\n";

    #[test]
    fn every_shipped_workload_can_run() {
        for (name, text) in SHIPPED {
            Spec::parse(name, text).unwrap_or_else(|why| panic!("{why}"));
            assert!(list().contains(name));
        }
    }

    #[test]
    fn every_file_of_the_folder_is_shipped() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
        let files = fs::read_dir(folder).expect("the folder is there").count();
        assert_eq!(files, SHIPPED.len());
    }

    #[test]
    fn a_rate_is_a_number_or_a_share() {
        let rate = |text: &str| {
            let text = format!("{LEAST}[load]\nrate = {text}\n");
            Spec::parse("x", &text).map(|spec| spec.load.rate)
        };
        assert_eq!(rate("3000"), Ok(Some(Rate::Records(3_000.0))));
        assert_eq!(rate("\"50 %\""), Ok(Some(Rate::Share(0.5))));
        assert!(rate("0").is_err() && rate("\"fast\"").is_err() && rate("\"-5%\"").is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_reason() {
        for (text, reason) in [
            ("[load]\nrecord_byte = 5\n", "record_byte"),
            ("[load]\nrecord_bytes = 5\n", "at least 12"),
            ("[load]\nskew = 1.0\n", "needs load.rate"),
            ("kind = \"soak\"\n", "needs load.rate"),
            ("kind = \"stalled\"\n[load]\nrate = 1\n", "is missing"),
            ("[catch_up]\nbacklog_mb = 5\n", "is only for"),
            ("kind = \"drain\"\n[consumers]\ncount = 1\n", "behind the load"),
            ("[load]\nrate = 5\nin_flight = 2\n", "closed loop"),
            ("[stream]\nshards = 4\n[load]\nwriters = 2\n", "4 shards need"),
            ("kind = \"reshard\"\n[stream]\nshards = 4\n[reshard]\nreshards = 1\n", "4 shards"),
            ("[time]\nduration_s = -1\n", "seconds"),
        ] {
            let why = Spec::parse("x", &format!("{LEAST}{text}")).expect_err(text);
            assert!(why.contains(reason), "{text}: {why}");
        }
    }

    #[test]
    fn a_name_that_is_neither_shipped_nor_a_file_is_refused() {
        assert!(load("no-such").expect_err("unknown").contains("--list"));
        assert_eq!(load("soak").expect("shipped").name, "soak");
    }
}
