//! The account's commitment to a minimum throughput (AWS: On-demand Advantage).

use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::Millis;
use crate::base::limits::COMMITMENT_MS_MIN;
use crate::catalog::event::Event;
use crate::catalog::rules::Rules;
use crate::catalog::state::{AccountRecord, State};
use crate::wire::account::{AccountDescription, Commitment};

/// Begins or ends the commitment. `None` if it is so already. It holds for a day at least: ended
/// earlier, it lapses by itself when the day is over.
pub fn update_account(
    state: &State,
    commitment: bool,
    now: Millis,
) -> Result<Option<Event>, ApiError> {
    let account = match (state.account.commitment(now), commitment) {
        (Commitment::Disabled, true) => AccountRecord { committed_at: Some(now), ends_at: None },
        (Commitment::EnabledUntil { since, .. }, true) => {
            AccountRecord { committed_at: Some(since), ends_at: None }
        }
        (Commitment::Enabled { since }, false) => {
            require_no_warm_throughput(state)?;
            let earliest = Millis(since.0 + COMMITMENT_MS_MIN);
            AccountRecord { committed_at: Some(since), ends_at: Some(earliest.max(now)) }
        }
        (Commitment::Enabled { .. }, true)
        | (Commitment::EnabledUntil { .. } | Commitment::Disabled, false) => return Ok(None),
    };
    Ok(Some(Event::AccountChanged { account }))
}

/// What the account may have and has.
#[must_use]
pub fn account(state: &State, rules: &Rules, now: Millis) -> AccountDescription {
    let (shards, on_demand) = (state.open_shards(), state.on_demand());
    rules.describe_account(&state.account, shards, on_demand, now)
}

fn require_no_warm_throughput(state: &State) -> Result<(), ApiError> {
    match state.living().find(|stream| stream.options.warm_mib > 0) {
        None => Ok(()),
        Some(stream) => Err(ApiError::new(
            ErrorCode::Validation,
            format!(
                "The minimum throughput billing commitment cannot end while streams have warm \
                 throughput. Set the warm throughput of stream {} to 0 first.",
                stream.name
            ),
        )),
    }
}
