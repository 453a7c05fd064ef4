//! The same behind TLS.

use std::io::BufReader;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::raw::Raw;
use super::raw_http2::Frames;
use super::server::{HANG, TestServer, until};
use crate::net::{SelfSigned, TlsServer};

type Secure = StreamOwned<ClientConnection, TcpStream>;

fn config(server: &TestServer, protocols: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn connect(server: &TestServer, config: &Arc<ClientConfig>, name: &'static str) -> Secure {
    let stream = TcpStream::connect(server.secure).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    let name = ServerName::try_from(name).unwrap();
    StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), stream)
}

fn handshake(server: &TestServer, protocols: &[&str]) -> Secure {
    let mut secure = connect(server, &config(server, protocols), "localhost");
    secure.conn.complete_io(&mut secure.sock).unwrap();
    secure
}

#[test]
fn the_client_chooses_its_protocol_by_alpn_or_without() {
    let server = TestServer::start();
    let secure = handshake(&server, &["h2", "http/1.1"]);
    assert_eq!(secure.conn.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(Frames::open(secure).ask(1, "/echo", b"two"), (200, b"two".to_vec()));
    let secure = handshake(&server, &["http/1.1"]);
    assert_eq!(secure.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(Raw(BufReader::new(secure)).ask("/echo", b"one").text(), "one");
    let secure = handshake(&server, &[]);
    assert_eq!(secure.conn.alpn_protocol(), None);
    assert_eq!(Frames::open(secure).ask(1, "/echo", b"two"), (200, b"two".to_vec()));
    let secure = handshake(&server, &[]);
    let answer = Raw(BufReader::new(secure)).ask("/about", b"");
    assert_eq!(answer.text(), "POST HTTP/1.1 localhost none true true");
}

#[test]
fn a_client_that_speaks_neither_is_refused() {
    let server = TestServer::start();
    let mut secure = connect(&server, &config(&server, &["spdy/3"]), "localhost");
    assert!(secure.conn.complete_io(&mut secure.sock).is_err());
    let mut raw = Raw(BufReader::new(TcpStream::connect(server.secure).unwrap()));
    raw.send("GET / HTTP/1.1\r\n\r\n");
    assert!(!raw.rest().starts_with(b"HTTP"), "plain text on the port of TLS");
    until("their end", || server.connections() == 0);
}

#[test]
fn large_bodies_pass_in_both_directions_and_both_protocols() {
    let server = TestServer::start();
    let body: Vec<u8> =
        (0..5u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut frames = Frames::with_settings(handshake(&server, &["h2"]), &[(4, 512 << 10)]);
    assert!(frames.ask(1, "/echo", &body) == (200, body.clone()), "by HTTP/2");
    let mut raw = Raw(BufReader::new(handshake(&server, &[])));
    for _ in 0..3 {
        assert!(raw.ask("/echo", &body).body == body, "by HTTP/1.1");
    }
}

#[test]
fn a_certificate_of_our_own_names_hosts_and_addresses() {
    let server = TestServer::start();
    let config = config(&server, &[]);
    for (name, right) in [("localhost", true), ("127.0.0.1", true), ("other", false)] {
        let mut secure = connect(&server, &config, name);
        assert_eq!(secure.conn.complete_io(&mut secure.sock).is_ok(), right, "{name}");
    }
}

#[test]
fn a_client_that_comes_back_resumes() {
    let server = TestServer::start();
    let config = config(&server, &[]);
    for round in 0..3 {
        let mut raw = Raw(BufReader::new(connect(&server, &config, "localhost")));
        assert_eq!(raw.ask("/echo", b"x").text(), "x");
        let kind = raw.0.get_ref().conn.handshake_kind();
        let resumed = kind == Some(rustls::HandshakeKind::Resumed);
        assert_eq!(resumed, round > 0, "round {round}: {kind:?}");
    }
}

#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    let server = TestServer::start();
    let mut raw = Raw(BufReader::new(TcpStream::connect(server.secure).unwrap()));
    raw.send([22, 3, 1, 0, 200, 1]);
    until("the connection", || server.connections() == 1);
    server.advance_until("the end", || server.connections() == 0);
}

#[test]
fn the_end_is_said_before_the_connection_ends() {
    let server = TestServer::start();
    let mut raw = Raw(BufReader::new(handshake(&server, &[])));
    raw.send("GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(raw.answer().status, 200);
    // Without the closing alert this would be an error: the answer may have been cut off.
    raw.expect_end();
}

#[test]
fn certificates_and_keys_that_are_none_are_named() {
    let made = SelfSigned::make(vec!["localhost".into()]).unwrap();
    let other = SelfSigned::make(vec!["localhost".into()]).unwrap();
    let fails = |chain: &str, key: &str| {
        TlsServer::new(chain.as_bytes(), key.as_bytes(), &[]).unwrap_err().to_string()
    };
    assert!(fails("", &made.key).starts_with("there is no certificate in it"));
    assert!(fails(&made.key, &made.key).starts_with("there is no certificate in it"));
    assert!(fails(&made.certificate, "").starts_with("no private key can be read"));
    let unfit = fails(&made.certificate, &other.key);
    assert!(unfit.starts_with("certificate and key cannot be used"), "{unfit}");
}
