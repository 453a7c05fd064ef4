//! Signs requests as SDKs do (Signature Version 4), from its description and not from the server's
//! own code.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::http1::Ask;

/// Whose keys, for where, and when.
#[derive(Clone, Debug)]
pub struct Signer {
    pub key: String,
    pub secret: String,
    pub token: Option<String>,
    pub region: String,
    pub service: String,
    /// Seconds since the epoch.
    pub at: u64,
}

impl Signer {
    /// Now, for this server.
    pub fn new(key: &str, secret: &str) -> Signer {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that was set");
        Signer {
            key: key.to_owned(),
            secret: secret.to_owned(),
            token: None,
            region: "us-east-1".to_owned(),
            service: "kinesis".to_owned(),
            at: now.as_secs(),
        }
    }

    /// The request with its signature in a header.
    pub fn sign(&self, ask: Ask) -> Ask {
        let time = date(self.at);
        let mut ask = ask.header("X-Amz-Date", &time).without("Authorization");
        if let Some(token) = &self.token {
            ask = ask.header("X-Amz-Security-Token", token);
        }
        let mut headers: Vec<(String, &str)> =
            ask.headers.iter().map(|(name, value)| (name.to_lowercase(), value.as_str())).collect();
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let body = hex(&Sha256::digest(&ask.body));
        let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
        let canonical = format!("{}\n{path}\n{query}\n{lines}\n{names}\n{body}", ask.method);
        let signature = self.signature(&canonical);
        let scope = self.scope();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.key
        );
        ask.header("Authorization", &authorization)
    }

    /// The request with its signature in the query; only the host is signed with it.
    pub fn presign(&self, ask: Ask) -> Ask {
        let ask = ask.without("Authorization").without("X-Amz-Date");
        let scope = self.scope().replace('/', "%2F");
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{scope}&X-Amz-Date={}&\
             X-Amz-SignedHeaders=host%3Bx-amz-target",
            self.key,
            date(self.at)
        );
        let value = |name: &str| {
            let found = ask.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.expect("it is signed").1.clone()
        };
        let canonical = format!(
            "{}\n/\n{query}\nhost:{}\nx-amz-target:{}\n\nhost;x-amz-target\n{}",
            ask.method,
            value("host"),
            value("x-amz-target"),
            hex(&Sha256::digest(&ask.body))
        );
        let signature = self.signature(&canonical);
        ask.path(&format!("/?{query}&X-Amz-Signature={signature}"))
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", &date(self.at)[..8], self.region, self.service)
    }

    fn signature(&self, canonical: &str) -> String {
        let (time, scope) = (date(self.at), self.scope());
        let hash = hex(&Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let secret = format!("AWS4{}", self.secret).into_bytes();
        let steps = [&time[..8], &self.region, &self.service, "aws4_request", &text];
        hex(&steps.iter().fold(secret, |key, step| hmac(&key, step)))
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `20160204T133419Z`.
pub fn date(at: u64) -> String {
    let (days, second) = (at / 86_400, at % 86_400);
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z", left + 1)
}

#[test]
fn dates_are_those_of_the_calendar() {
    assert_eq!(date(0), "19700101T000000Z");
    assert_eq!(date(951_782_399), "20000228T235959Z");
    assert_eq!(date(951_782_400), "20000229T000000Z");
    assert_eq!(date(1_454_592_859), "20160204T133419Z");
    assert_eq!(date(1_767_225_599), "20251231T235959Z");
}
