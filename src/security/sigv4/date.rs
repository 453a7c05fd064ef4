//! When a request was signed, and for how long that counts.

use super::error::AuthError;
use crate::base::ids::Millis;
use crate::base::limits::SIGNATURE_WINDOW_S;
use crate::security::calendar::{date_of, days_of};

/// The time of a signature, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignedAt {
    /// Since the epoch.
    seconds: u64,
    text: [u8; TEXT_BYTES],
}

/// `20160204T133419Z`.
const TEXT_BYTES: usize = 16;

impl SignedAt {
    /// From `X-Amz-Date`, or from a `Date` header in HTTP's own form.
    pub(super) fn parse(text: &str) -> Result<SignedAt, AuthError> {
        let seconds = basic(text.as_bytes()).or_else(|| http(text)).ok_or_else(|| {
            AuthError::incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{text}'. See \
                 http://en.wikipedia.org/wiki/ISO_8601"
            ))
        })?;
        Ok(SignedAt::of(seconds))
    }

    /// Of a request that is signed now.
    pub(super) fn at(now: Millis) -> SignedAt {
        SignedAt::of(now.0 / 1000)
    }

    fn of(seconds: u64) -> SignedAt {
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date_of(days);
        let mut text = *b"00000000T000000Z";
        let mut put = |at: usize, width: usize, mut value: u64| {
            for digit in text[at..at + width].iter_mut().rev() {
                *digit = b'0' + u8::try_from(value % 10).expect("a digit");
                value /= 10;
            }
        };
        put(0, 4, year);
        put(4, 2, month);
        put(6, 2, day);
        put(9, 2, second / 3600);
        put(11, 2, second / 60 % 60);
        put(13, 2, second % 60);
        SignedAt { seconds, text }
    }

    /// ISO 8601's basic form, whichever form it came in.
    pub(super) fn text(&self) -> &str {
        str::from_utf8(&self.text).expect("digits, T and Z")
    }

    /// The key that signs is of one day: that of the signature.
    pub(super) fn check_day(&self, day: &str) -> Result<(), AuthError> {
        let text = self.text();
        let own = &text[..8];
        if day == own {
            return Ok(());
        }
        Err(AuthError::invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{day}' != '{own}', from '{text}'."
        )))
    }

    /// Not older than `window_s`, and not newer than clocks may differ.
    pub(super) fn check_window(&self, now: Millis, window_s: u64) -> Result<(), AuthError> {
        let now = now.0 / 1000;
        let (oldest, newest) = (now.saturating_sub(window_s), now + SIGNATURE_WINDOW_S);
        if (oldest..=newest).contains(&self.seconds) {
            return Ok(());
        }
        let [now, oldest, newest] = [now, oldest, newest].map(SignedAt::of);
        let (text, now) = (self.text(), now.text());
        Err(AuthError::invalid(if self.seconds < oldest.seconds {
            let (oldest, span) = (oldest.text(), span(window_s));
            format!("Signature expired: {text} is now earlier than {oldest} ({now} - {span}.)")
        } else {
            let (newest, span) = (newest.text(), span(SIGNATURE_WINDOW_S));
            format!(
                "Signature not yet current: {text} is still later than {newest} ({now} + {span}.)"
            )
        }))
    }
}

fn span(seconds: u64) -> String {
    if seconds.is_multiple_of(60) {
        format!("{} min", seconds / 60)
    } else {
        format!("{seconds} s")
    }
}

/// `20160204T133419Z`.
fn basic(text: &[u8]) -> Option<u64> {
    let text: &[u8; TEXT_BYTES] = text.try_into().ok()?;
    if text[8] != b'T' || text[15] != b'Z' {
        return None;
    }
    let days = days_of(number(&text[..4])?, number(&text[4..6])?, number(&text[6..8])?)?;
    of_day(days, number(&text[9..11])?, number(&text[11..13])?, number(&text[13..15])?)
}

/// `Thu, 04 Feb 2016 13:34:19 GMT`; botocore writes `-0000` there. The day of the week is not
/// looked at.
fn http(text: &str) -> Option<u64> {
    const FORM: &[u8; 25] = b"___, __ ___ ____ __:__:__";
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let text = [" GMT", " -0000", " +0000"].iter().find_map(|zone| text.strip_suffix(zone))?;
    let text: &[u8; 25] = text.as_bytes().try_into().ok()?;
    if FORM.iter().zip(text).any(|(form, given)| *form != b'_' && form != given) {
        return None;
    }
    let month = (1..).zip(MONTHS).find(|(_, name)| text[8..11] == **name)?.0;
    let days = days_of(number(&text[12..16])?, month, number(&text[5..7])?)?;
    of_day(days, number(&text[17..19])?, number(&text[20..22])?, number(&text[23..25])?)
}

fn of_day(days: u64, hour: u64, minute: u64, second: u64) -> Option<u64> {
    let exists = hour < 24 && minute < 60 && second < 60;
    exists.then(|| ((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Digits and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2016-02-04 13:34:19.
    const SIGNED: u64 = 1_454_592_859;

    #[test]
    fn both_forms_are_read() {
        for text in
            ["20160204T133419Z", "Thu, 04 Feb 2016 13:34:19 GMT", "Thu, 04 Feb 2016 13:34:19 -0000"]
        {
            let signed = SignedAt::parse(text).unwrap();
            assert_eq!((signed.seconds, signed.text()), (SIGNED, "20160204T133419Z"), "{text}");
        }
        assert_eq!(SignedAt::parse("19700101T000000Z").unwrap().seconds, 0);
        assert_eq!(SignedAt::parse("99991231T235959Z").unwrap().seconds, 253_402_300_799);
    }

    #[test]
    fn other_forms_and_times_that_do_not_exist_are_refused() {
        for text in [
            "",
            "a",
            "20160204T133419",
            "20160204T133419z",
            "20160204t133419Z",
            "20160204 133419Z",
            "2016-02-04T13:34:19Z",
            "20160204T133419.1Z",
            "20160230T133419Z",
            "20160204T243419Z",
            "20160204T136019Z",
            "20160204T133460Z",
            "+0160204T133419Z",
            "2016020éT133419",
            "Thu, 04 Feb 2016 13:34:19 UTC",
            "Thu, 04 Feb 2016 13:34:19 +0100",
            "Thu, 04 Feb 2016 13:34:19",
            "Thu, 04 Feb 2016 13:34:19 GMT ",
            "Thu, 04 Xxx 2016 13:34:19 GMT",
            "Thu, 04-Feb-2016 13:34:19 GMT",
        ] {
            let error = SignedAt::parse(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got \
                     '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
                )
            );
        }
    }

    #[test]
    fn a_signature_counts_five_minutes_before_and_after() {
        let signed = SignedAt::of(SIGNED);
        let at = |seconds: u64| signed.check_window(Millis(seconds * 1000 + 999), 300);
        for now in [SIGNED - 300, SIGNED, SIGNED + 300] {
            assert_eq!(at(now), Ok(()));
        }
        assert_eq!(
            at(SIGNED + 301).unwrap_err().message(),
            "Signature expired: 20160204T133419Z is now earlier than 20160204T133420Z \
             (20160204T133920Z - 5 min.)"
        );
        assert_eq!(
            at(SIGNED - 301).unwrap_err().message(),
            "Signature not yet current: 20160204T133419Z is still later than 20160204T133418Z \
             (20160204T132918Z + 5 min.)"
        );
        assert!(signed.check_window(Millis(0), 300).is_err(), "a clock that was never set");
    }

    #[test]
    fn a_shorter_life_is_kept() {
        let signed = SignedAt::of(SIGNED);
        let at = |seconds: u64| signed.check_window(Millis(seconds * 1000), 10);
        assert_eq!(at(SIGNED + 10), Ok(()));
        let error = at(SIGNED + 11).unwrap_err();
        assert!(error.message().ends_with("(20160204T133430Z - 10 s.)"), "{error}");
        assert_eq!(at(SIGNED - 300), Ok(()), "clocks may still differ");
    }
}
