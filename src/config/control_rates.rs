//! Whether the control plane's rates are those of AWS.

use clap::ValueEnum;
use serde::Deserialize;

/// Whether the control plane's rates are those of AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ControlRates {
    /// Any rate.
    #[default]
    Off,
    /// Those of AWS.
    Aws,
}
