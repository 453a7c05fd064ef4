//! Which CPUs to use: how many, or which ones.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// Which CPUs to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cores {
    /// Every CPU that the process may use.
    #[default]
    All,
    /// So many of them, the first ones.
    Count(u16),
    /// These CPUs, by the system's numbers.
    Cpus(Vec<u16>),
}

/// Text that names no CPUs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` names no cores: {1}; write a count (4), CPU numbers (0,2-3) or one CPU (cpu:0)")]
pub struct InvalidCores(pub String, pub &'static str);

/// A plain number is a count. With a comma, a range or the prefix `cpu:` they are CPU numbers.
impl FromStr for Cores {
    type Err = InvalidCores;

    fn from_str(text: &str) -> Result<Cores, InvalidCores> {
        let invalid = |why| InvalidCores(text.to_owned(), why);
        let number = |part: &str| part.trim().parse::<u16>().or(Err(invalid("not a number")));
        let trimmed = text.trim();
        if trimmed == "all" {
            return Ok(Cores::All);
        }
        let list = trimmed.strip_prefix("cpu:");
        if list.is_none() && !trimmed.contains([',', '-']) {
            return match number(trimmed)? {
                0 => Err(invalid("a server has at least one core")),
                n => Ok(Cores::Count(n)),
            };
        }
        let mut cpus = Vec::new();
        for part in list.unwrap_or(trimmed).split(',') {
            match part.split_once('-') {
                None => cpus.push(number(part)?),
                Some((first, last)) => {
                    let (first, last) = (number(first)?, number(last)?);
                    if first > last {
                        return Err(invalid("a range ends before it starts"));
                    }
                    cpus.extend(first..=last);
                }
            }
        }
        let named = cpus.len();
        cpus.sort_unstable();
        cpus.dedup();
        if cpus.len() == named { Ok(Cores::Cpus(cpus)) } else { Err(invalid("a CPU stands twice")) }
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cores::All => f.write_str("all"),
            Cores::Count(n) => write!(f, "{n}"),
            Cores::Cpus(cpus) => {
                let list: Vec<_> = cpus.iter().map(u16::to_string).collect();
                write!(f, "cpu:{}", list.join(","))
            }
        }
    }
}

/// From a count or from text.
impl<'de> Deserialize<'de> for Cores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cores, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Cores;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of cores or a list of CPUs like \"0,2-3\"")
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Cores, E> {
                n.to_string().parse().map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Cores, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
