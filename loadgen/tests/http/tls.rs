//! The AWS API over TLS: certificates are checked, and everything else is as without.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use shardway::log::progress::NoProgress;
use shardway::runtime::{Certificate, Server, ServerOptions};

use super::{http, rows};

/// A server with a certificate of its own making, and its data.
fn server() -> (Server, tempfile::TempDir) {
    // Direct I/O needs a real disk.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut options = ServerOptions::new(dir.path().to_owned(), vec![0]);
    options.listen = any_port;
    options.https = Some((any_port, Certificate::SelfSigned));
    (Server::start(options, &mut NoProgress).expect("it starts"), dir)
}

#[test]
fn puts_and_pushes_over_tls_are_measured_and_verified() {
    let (server, _dir) = server();
    let endpoint = format!("https://localhost:{}", server.https_addr().expect("asked for").port());
    let native = server.native_addr().to_string();
    let ca_file = server.certificate_to_trust().expect("self-signed").to_str().expect("text");
    let words = ["put-records", "put-record", "subscribe", "--rate", "200", "--shards", "2"];
    let place = ["--endpoint", &endpoint, "--server", &native, "--ca-file", ca_file];
    let output = http(&[&words[..], &place[..]].concat());
    let rows: Vec<Value> = rows(&output);
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert!(row["verified_records"].as_u64() > Some(0), "{row:#}");
    }
    assert_eq!(rows[2]["push"]["records"], rows[2]["ack"]["records"], "{:#}", rows[2]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_ends_the_run() {
    let (server, _dir) = server();
    let (other, _other_dir) = self::server();
    let endpoint = format!("https://localhost:{}", server.https_addr().expect("asked for").port());
    let ca_file = other.certificate_to_trust().expect("self-signed");
    let output = try_put(&endpoint, ca_file);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("certificate"), "{stderr}");
}

#[test]
fn authorities_that_are_none_are_a_usage_error() {
    for (endpoint, ca_file) in [
        ("https://127.0.0.1:1", "no-such-file.pem"),
        ("https://127.0.0.1:1", file!()),
        ("http://127.0.0.1:1", "any.pem"),
    ] {
        let output = try_put(endpoint, Path::new(ca_file));
        assert_eq!(output.status.code(), Some(2), "{endpoint} {ca_file}: {output:?}");
    }
}

fn try_put(endpoint: &str, ca_file: &Path) -> std::process::Output {
    let ca_file = ca_file.to_str().expect("text");
    http(&["put-record", "--endpoint", endpoint, "--ca-file", ca_file])
}
