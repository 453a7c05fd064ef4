//! The endpoint of the AWS API: where it listens, and how it ends.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use shardway::net::SelfSigned;

use crate::process::{HANG, Server, Setup, new_dir, until};

/// A request of an operation that no server knows.
const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}

/// Sends a request and reads an answer up to the end of its head at least.
fn ask(io: &mut (impl Read + Write)) -> String {
    io.write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
        let n = io.read(&mut buffer).unwrap();
        assert!(n > 0, "the end instead of an answer");
        answer.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8(answer).unwrap()
}

fn secure(address: &str, certificate: &[u8]) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(client, connect(address))
}

fn with_tls(setup: Setup) -> Server {
    setup.flag("--https", "127.0.0.1:0").flag("--tls-self-signed", "true").start()
}

#[test]
fn requests_are_answered_on_every_core() {
    let dir = new_dir();
    let cores = crate::process::cpus().len().min(2) as u16;
    let server = Setup::new(&dir.path().join("data")).cores(cores).start();
    let (http, https) = server.http_addrs();
    let (http, before) = (http.unwrap(), server.sockets());
    assert_eq!(https, None);
    let mut clients: Vec<_> = (0..100).map(|_| connect(&http)).collect();
    for _ in 0..3 {
        for client in &mut clients {
            assert!(ask(client).starts_with("HTTP/1.1 "));
        }
    }
    assert!(server.sockets() >= before + 100);
    drop(clients);
    until("the end of all connections", || server.sockets() <= before);
    server.stop_clean();
}

#[test]
fn a_certificate_is_made_once_and_its_key_is_private() {
    let dir = new_dir();
    let data = dir.path().join("data");
    let server = with_tls(Setup::new(&data));
    let certificate = fs::read(data.join("tls/cert.pem")).unwrap();
    let mode = fs::metadata(data.join("tls/key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (http, https) = server.http_addrs();
    assert!(ask(&mut secure(&https.unwrap(), &certificate)).starts_with("HTTP/1.1 "));
    assert!(ask(&mut connect(&http.unwrap())).starts_with("HTTP/1.1 "));
    server.stop_clean();
    crate::check_agrees(&data);
    let server = with_tls(Setup::new(&data));
    let https = server.http_addrs().1.unwrap();
    assert!(ask(&mut secure(&https, &certificate)).starts_with("HTTP/1.1 "), "the same one");
    server.stop_clean();
    // The same files, given by name; and files that are none.
    let (cert, key) = (data.join("tls/cert.pem"), data.join("tls/key.pem"));
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let given = Setup::new(&data).flag("--https", "127.0.0.1:0").flag("--tls-cert", cert);
    let server = given.clone().flag("--tls-key", key).start();
    let https = server.http_addrs().1.unwrap();
    assert!(ask(&mut secure(&https, &certificate)).starts_with("HTTP/1.1 "));
    server.stop_clean();
    let (_, said) = given.flag("--tls-key", cert).refused();
    assert!(said.contains("cert.pem: no private key can be read"), "{said}");
}

#[test]
fn a_certificate_that_was_replaced_is_shown_to_the_next_client() {
    let dir = new_dir();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let make = || SelfSigned::make(vec!["localhost".to_owned()]).unwrap();
    let write = |made: &SelfSigned| {
        fs::write(&key, &made.key).unwrap();
        fs::write(&cert, &made.certificate).unwrap();
    };
    let (first, second) = (make(), make());
    write(&first);
    let setup = Setup::new(&dir.path().join("data")).flag("--https", "127.0.0.1:0");
    let setup = setup.flag("--tls-cert", cert.to_str().unwrap());
    let server = setup.flag("--tls-key", key.to_str().unwrap()).start();
    let https = server.http_addrs().1.unwrap();
    let mut before = secure(&https, first.certificate.as_bytes());
    assert!(ask(&mut before).starts_with("HTTP/1.1 "));
    // A key without its certificate is no reason to stop.
    fs::write(&key, &second.key).unwrap();
    until("the server has said that they do not fit", || {
        server.log().contains("the certificate stays as it is")
    });
    assert!(ask(&mut secure(&https, first.certificate.as_bytes())).starts_with("HTTP/1.1 "));
    write(&second);
    until("the certificate is read", || server.log().contains("the certificate was read again"));
    assert!(ask(&mut secure(&https, second.certificate.as_bytes())).starts_with("HTTP/1.1 "));
    assert!(ask(&mut before).starts_with("HTTP/1.1 "), "who is connected stays so");
    server.stop_clean();
}

#[test]
fn a_stop_ends_all_connections() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let http = server.http_addrs().0.unwrap();
    let mut clients: Vec<_> = (0..10).map(|_| connect(&http)).collect();
    clients[..5].iter_mut().for_each(|client| drop(ask(client)));
    // Half of a request is waited for, but not for ever.
    clients[9].write_all(&REQUEST[..20]).unwrap();
    server.stop_clean();
    for client in &mut clients {
        // All was read, or the socket is reset: either is an end.
        let _ = client.read_to_end(&mut Vec::new());
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_its_option() {
    let dir = new_dir();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let setup = Setup::new(&dir.path().join("data")).flag("--https", &address);
    let (_, said) = setup.flag("--tls-self-signed", "true").refused();
    assert!(said.contains(&address) && said.contains("--https"), "{said}");
}
