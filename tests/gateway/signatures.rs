//! `--auth sigv4`: who may ask, by which keys, and who may listen where.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::call::{BOTH, Refused, Wire, check_headers, outcome};
use crate::endpoint::Endpoint;
use crate::frames::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, literal};
use crate::http1::{Answer, Ask, JSON};
use crate::process::{Setup, new_dir, until};
use crate::signer::{Signer, date};

const KEY: &str = "AKIDALICE";
const SECRET: &str = "alice/secret+wJalrXUtnFEMI";
const TOKEN: &str = "a-token-of-alice==";

fn file_of(profiles: &[(&str, &str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (at, (key, secret, token)) in profiles.iter().enumerate() {
        text += &format!("[user-{at}]\naws_access_key_id = {key}\n");
        text += &format!("aws_secret_access_key = {secret}\n");
        if let Some(token) = token {
            text += &format!("aws_session_token = {token}\n");
        }
    }
    text
}

fn write(path: &Path, text: &str) {
    // Replaced, as editors do it.
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&new, path).unwrap();
}

/// A server that knows these, and its file of them.
fn start(profiles: &[(&str, &str, Option<&str>)]) -> (Endpoint, tempfile::TempDir) {
    let dir = new_dir();
    let path = dir.path().join("credentials");
    write(&path, &file_of(profiles));
    let endpoint = Endpoint::with(|setup| {
        let setup = setup.flag("--auth", "sigv4").flag("--log", "trace");
        setup.flag("--credentials", path.to_str().unwrap())
    });
    (endpoint, dir)
}

fn list(wire: Wire) -> Ask {
    Ask::new("ListStreams", wire.content_type(), wire.encode(&json!({})))
}

#[track_caller]
fn assert_refused(wire: Wire, answer: &Answer, name: &str, text: &str) {
    check_headers(answer);
    let told = outcome(wire, answer).unwrap_err();
    assert_eq!((told.status, told.name.as_str()), (400, name), "{told:?}");
    assert!(told.text.starts_with(text), "{told:?}");
}

#[test]
fn right_signatures_are_served_in_header_and_query_and_every_other_is_refused() {
    let (endpoint, _dir) = start(&[(KEY, SECRET, None), ("AKIDBOB", "bob", Some(TOKEN))]);
    let signer = Signer::new(KEY, SECRET);
    let mut conn = endpoint.connect();
    let mismatch = "The request signature we calculated does not match the signature you provided.";
    for wire in BOTH {
        assert_eq!(conn.ask(&signer.sign(list(wire))).status, 200);
        assert_eq!(conn.ask(&signer.sign(list(wire).path("/a/b"))).status, 200);
        assert_eq!(conn.ask(&signer.presign(list(wire))).status, 200);
        let mut wrong = |ask: Ask| {
            assert_refused(wire, &conn.ask(&ask), "InvalidSignatureException", mismatch);
        };
        wrong(Signer::new(KEY, "another").sign(list(wire)));
        wrong(Signer::new(KEY, "another").presign(list(wire)));
        let signed = signer.sign(list(wire));
        wrong(Ask { body: wire.encode(&json!({"Limit": 1})), ..signed.clone() });
        wrong(signed.clone().header("X-Amz-Target", "Kinesis_20131202.DescribeLimits"));
        wrong(signed.clone().header("Host", "elsewhere"));
        wrong(signed.clone().path("/x"));
        wrong(signed.clone().path("/?a=b"));
        let presigned = signer.presign(list(wire));
        wrong(Ask { body: wire.encode(&json!({"Limit": 1})), ..presigned });
        let stolen = Signer { secret: "bob".into(), ..signer.clone() };
        wrong(stolen.sign(list(wire)));
        let unsigned = list(wire).without("Authorization");
        let answer = conn.ask(&unsigned);
        let missing = ("MissingAuthenticationTokenException", "Missing Authentication Token");
        assert_refused(wire, &answer, missing.0, missing.1);
    }
    // What was not asked for by right was not done.
    let create = json!({"StreamName": "stolen", "ShardCount": 1}).to_string();
    conn.ask(&Signer::new(KEY, "another").sign(Ask::new("CreateStream", JSON, create)));
    let answer = conn.ask(&signer.sign(list(Wire::Json)));
    assert_eq!(outcome(Wire::Json, &answer).unwrap()["StreamNames"], json!([]));
}

#[test]
fn the_authority_of_http2_is_the_host_that_was_signed() {
    let (endpoint, _dir) = start(&[(KEY, SECRET, None)]);
    for (at, authority) in ["localhost", "elsewhere"].into_iter().enumerate() {
        let ask = Signer::new(KEY, SECRET).sign(list(Wire::Json));
        let mut block: Vec<u8> =
            [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", authority)]
                .iter()
                .flat_map(|(name, value)| literal(name, value))
                .collect();
        for (name, value) in ask.headers.iter().filter(|(name, _)| name != "Host") {
            block.extend(literal(&name.to_lowercase(), value));
        }
        let mut frames = Frames::open(endpoint.addr);
        frames.send(HEADERS, END_HEADERS, 1, &block);
        frames.send(DATA, END_STREAM, 1, &ask.body);
        assert_eq!(frames.next_of(HEADERS).expect("an answer").is_ok(), at == 0, "{authority}");
    }
}

#[test]
fn keys_tokens_scopes_and_times_that_do_not_count_are_named() {
    let (endpoint, _dir) = start(&[(KEY, SECRET, None), ("AKIDBOB", "bob", Some(TOKEN))]);
    let signer = Signer::new(KEY, SECRET);
    let mut conn = endpoint.connect();
    let invalid = "The security token included in the request is invalid";
    let mut refused = |signer: &Signer, name: &str, text: &str| {
        let answer = conn.ask(&signer.sign(list(Wire::Json)));
        assert_refused(Wire::Json, &answer, name, text);
    };
    refused(&Signer::new("AKIDNOBODY", SECRET), "UnrecognizedClientException", invalid);
    let bob = Signer::new("AKIDBOB", "bob");
    refused(&bob, "UnrecognizedClientException", invalid);
    let other = Signer { token: Some("another".into()), ..bob.clone() };
    refused(&other, "UnrecognizedClientException", invalid);
    let needless = Signer { token: Some(TOKEN.into()), ..signer.clone() };
    refused(&needless, "UnrecognizedClientException", invalid);
    let service = Signer { service: "dynamodb".into(), ..signer.clone() };
    let scoped = "Credential should be scoped to correct service: 'kinesis'.";
    refused(&service, "InvalidSignatureException", scoped);
    let old = Signer { at: signer.at - 400, ..signer.clone() };
    let text = format!("Signature expired: {} is now earlier than ", date(old.at));
    refused(&old, "InvalidSignatureException", &text);
    let new = Signer { at: signer.at + 400, ..signer.clone() };
    let text = format!("Signature not yet current: {} is still later than ", date(new.at));
    refused(&new, "InvalidSignatureException", &text);
    // The window has two sides, and a token that is right is right.
    for at in [signer.at - 200, signer.at + 200] {
        assert_eq!(conn.ask(&Signer { at, ..signer.clone() }.sign(list(Wire::Cbor))).status, 200);
    }
    let bob = Signer { token: Some(TOKEN.into()), ..bob };
    assert_eq!(conn.ask(&bob.sign(list(Wire::Json))).status, 200);
}

#[test]
fn a_signature_is_looked_at_before_the_types_and_behind_everything_else() {
    let (endpoint, _dir) = start(&[(KEY, SECRET, None)]);
    let wrong = Signer::new(KEY, "another");
    let mut conn = endpoint.connect();
    let ask = wrong.sign(Ask::new("DescribeStream", JSON, r#"{"StreamName":7}"#));
    assert_refused(Wire::Json, &conn.ask(&ask), "InvalidSignatureException", "The request sig");
    let ask =
        Signer::new(KEY, SECRET).sign(Ask::new("DescribeStream", JSON, r#"{"StreamName":7}"#));
    assert_refused(Wire::Json, &conn.ask(&ask), "SerializationException", "class com.amazon.");
    let ask = wrong.sign(Ask::new("DescribeStream", JSON, "{"));
    assert_refused(Wire::Json, &conn.ask(&ask), "SerializationException", "");
    let ask = wrong.sign(Ask::new("PutRecords", JSON, "[]"));
    assert_refused(Wire::Json, &conn.ask(&ask), "SerializationException", "");
    let ask = wrong.sign(Ask::new("Nothing", JSON, "{}"));
    assert_refused(Wire::Json, &conn.ask(&ask), "UnknownOperationException", "");
    assert_eq!(conn.ask(&wrong.sign(list(Wire::Json).method("GET"))).status, 403);
}

#[test]
fn the_file_of_the_keys_is_read_again_and_a_broken_one_changes_nothing() {
    let (endpoint, dir) = start(&[(KEY, SECRET, None)]);
    let path = dir.path().join("credentials");
    let mut conn = endpoint.connect();
    let (old, new) = (Signer::new(KEY, SECRET), Signer::new("AKIDNEW", "new"));
    let mut serves = |signer: &Signer| conn.ask(&signer.sign(list(Wire::Json))).status == 200;
    assert!(serves(&old) && !serves(&new));
    write(&path, &file_of(&[("AKIDNEW", "new", None)]));
    until("the new key counts", || serves(&new));
    assert!(!serves(&old), "the old one does not");
    write(&path, "[user]\naws_access_key_id = AKIDNEW\naws_secret_access_key\n");
    until("it is said", || endpoint.server.log().contains("the access keys stay as they are"));
    assert!(serves(&new));
    fs::remove_file(&path).unwrap();
    let complaints = || endpoint.server.log().matches("the access keys stay as they are").count();
    until("it is said", || complaints() == 2);
    assert!(serves(&new));
    write(&path, &file_of(&[("AKIDNEW", "newer", None), (KEY, SECRET, None)]));
    until("the old key counts again", || serves(&old));
    assert!(!serves(&new) && serves(&Signer::new("AKIDNEW", "newer")));
}

#[test]
fn secrets_and_tokens_are_in_no_answer_and_no_line_of_the_log() {
    let (endpoint, dir) = start(&[(KEY, SECRET, None), ("AKIDBOB", "bob", Some(TOKEN))]);
    let signer = Signer::new(KEY, SECRET);
    let bob = Signer { token: Some(TOKEN.into()), ..Signer::new("AKIDBOB", "bob") };
    let mut conn = endpoint.connect();
    let mut told = String::new();
    for signer in [&signer, &bob, &Signer { secret: "x".into(), ..bob.clone() }] {
        for ask in [signer.sign(list(Wire::Json)), signer.presign(list(Wire::Cbor))] {
            told += &format!("{:?}", conn.ask(&ask));
            told += &format!("{:?}", conn.ask(&ask.header("X-Amz-Date", "never")));
        }
    }
    let path = dir.path().join("credentials");
    let broken = format!("{}{SECRET}\n", file_of(&[(KEY, SECRET, Some(TOKEN))]));
    write(&path, &broken);
    until("it is said", || endpoint.server.log().contains("the access keys stay as they are"));
    let ended = endpoint.stop();
    assert_eq!(ended.code, 0);
    let all = format!("{told}{}{}", ended.stderr, ended.lines.join("\n"));
    for secret in [SECRET, TOKEN] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn a_server_that_others_can_reach_wants_signatures_or_to_be_told_otherwise() {
    let dir = new_dir();
    let path = dir.path().join("credentials");
    write(&path, &file_of(&[(KEY, SECRET, None)]));
    let setup = || Setup::new(&dir.path().join("data"));
    let exposed = || setup().flag("--http", "0.0.0.0:0");
    let (code, told) = exposed().refused();
    assert_eq!(code, 2, "{told}");
    for word in ["refusing to start", "--http 0.0.0.0:0", "--auth sigv4", "--insecure"] {
        assert!(told.contains(word), "{told}");
    }
    let (_, told) = setup().flag("--auth", "sigv4").refused();
    assert!(told.contains("credentials"), "{told}");
    let keys = path.to_str().unwrap();
    let (_, told) = setup().flag("--credentials", keys).refused();
    assert!(told.contains("auth sigv4"), "{told}");
    exposed().flag("--auth", "sigv4").flag("--credentials", keys).start().stop_clean();
    exposed().switch("--insecure").start().stop_clean();
    // Keys that cannot be read are no keys.
    write(&path, "");
    let told = exposed().flag("--auth", "sigv4").flag("--credentials", keys).refused().1;
    assert!(told.contains(keys), "{told}");
    fs::remove_file(&path).unwrap();
    let told = exposed().flag("--auth", "sigv4").flag("--credentials", keys).refused().1;
    assert!(told.contains(keys), "{told}");
}

#[test]
fn without_authentication_any_key_will_do() {
    let endpoint = Endpoint::shared();
    let answer = endpoint.connect().ask(&Signer::new("AKIDNOBODY", "x").sign(list(Wire::Json)));
    assert_eq!(answer.status, 200);
    let refused = endpoint.json().refused("DescribeStream", json!({"StreamName": "n"}));
    assert_eq!(refused.name, Refused::new("ResourceNotFoundException", "").name);
}
