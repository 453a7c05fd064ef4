//! What a key may be used for: a day, a region and a service.

use super::error::AuthError;

/// `AKID/20160204/us-east-1/kinesis/aws4_request`, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    terminator: &'a str,
    /// Everything behind the access key id.
    pub(super) text: &'a str,
}

/// What every scope ends with.
pub(super) const TERMINATOR: &str = "aws4_request";

impl<'a> Scope<'a> {
    pub(super) fn parse(credential: &'a str) -> Result<Scope<'a>, AuthError> {
        let mut elements = credential.split('/');
        let five: [Option<&str>; 5] = std::array::from_fn(|_| elements.next());
        let (Some((_, text)), [Some(access_key_id), Some(day), Some(region), Some(service), last]) =
            (credential.split_once('/'), five)
        else {
            return Err(not_five(credential));
        };
        match (last, elements.next()) {
            (Some(terminator), None) => {
                Ok(Scope { access_key_id, day, region, service, terminator, text })
            }
            _ => Err(not_five(credential)),
        }
    }

    /// Whether it is of this service and of `region`, or of any region that has a name.
    pub(super) fn check(&self, service: &str, region: Option<&str>) -> Result<(), AuthError> {
        let mut wrong = String::new();
        if region.map_or(self.region.is_empty(), |region| region != self.region) {
            let given = self.region;
            wrong += &format!("Credential should be scoped to a valid region, not '{given}'. ");
        }
        if self.service != service {
            wrong += &format!("Credential should be scoped to correct service: '{service}'. ");
        }
        if self.terminator != TERMINATOR {
            let given = self.terminator;
            wrong += &format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not \
                 '{given}'. "
            );
        }
        if wrong.is_empty() { Ok(()) } else { Err(AuthError::invalid(wrong)) }
    }
}

/// Whoever swaps key and secret lands here: secrets have slashes.
fn not_five(credential: &str) -> AuthError {
    let text = "Credential must have exactly 5 slash-delimited elements, e.g. \
                keyid/date/region/service/term, got ";
    AuthError::incomplete(text).with_echo(format!("'{credential}'"))
}
