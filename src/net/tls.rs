//! Certificates and what follows from them: how this server speaks TLS.

use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

/// How every core speaks TLS 1.2 and 1.3. Clones share it: a client may come back to another core
/// and resume there, with a ticket that no core has to remember.
#[derive(Clone, Debug)]
pub struct TlsServer {
    pub(super) config: Arc<ServerConfig>,
    identity: Arc<Identity>,
}

/// Who the server says that it is, to each new client. The lock is held for a copy of a pointer,
/// once in a handshake.
#[derive(Debug)]
struct Identity(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Certificate and key that nothing can be done with.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate's text.
    #[error("no certificate can be read: {0}")]
    Certificate(pem::Error),
    /// There is none.
    #[error("there is no certificate in it, no line `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// The key's text.
    #[error("no private key can be read: {0}")]
    Key(pem::Error),
    /// They do not fit each other, or the server.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The names of a self-signed certificate, or the kernel's random bytes.
    #[error("no certificate can be made: {0}")]
    Make(#[from] rcgen::Error),
}

impl TlsServer {
    /// Uses a chain of certificates, the server's own first, and its private key (PKCS#8, PKCS#1
    /// or SEC1), both PEM. `protocols` are offered by ALPN, the preferred one first; a client that
    /// offers none is served all the same.
    pub fn new(chain: &[u8], key: &[u8], protocols: &[&[u8]]) -> Result<TlsServer, TlsError> {
        let identity = Arc::new(Identity(Mutex::new(certified(chain, key)?)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(identity.clone());
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config.ticketer = ring::Ticketer::new()?;
        Ok(TlsServer { config: Arc::new(config), identity })
    }

    /// Shows another certificate to those who connect from now on, to all cores. On an error
    /// nothing changes.
    pub fn renew(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let certified = certified(chain, key)?;
        *self.identity.0.lock().unwrap_or_else(PoisonError::into_inner) = certified;
        Ok(())
    }
}

/// A certificate and the key that belongs to it.
fn certified(chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(TlsError::Certificate)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider())?;
    Ok(Arc::new(certified))
}

/// A certificate that vouches for itself, for clients that are told to trust it.
#[derive(Debug)]
pub struct SelfSigned {
    /// PEM, for clients too.
    pub certificate: String,
    /// PEM, for nobody else.
    pub key: String,
}

impl SelfSigned {
    /// Makes one for these DNS names and IP addresses. It does not expire.
    pub fn make(names: Vec<String>) -> Result<SelfSigned, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "Shardway, self-signed");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.self_signed(&key)?.pem();
        Ok(SelfSigned { certificate, key: key.serialize_pem() })
    }
}
