//! Encryption: the service's certificate, and the authorities of its clients'.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;
use crate::{Error, Result};

/// The protocols that a connection may be for, as TLS names them, the first the best.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificates of a service, read from their files again on demand. Clones share them.
#[derive(Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    current: Arc<ArcSwap<ServerConfig>>,
}

impl Tls {
    /// Reads the certificates; `None` where no certificate is named.
    ///
    /// # Errors
    /// [`Error::Config`] that names the file at fault.
    pub fn load(files: &TlsFiles) -> Result<Option<Self>> {
        let Some(config) = read(files)? else { return Ok(None) };
        let current = Arc::new(ArcSwap::from_pointee(config));
        Ok(Some(Self { files: Arc::new(files.clone()), current }))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let TlsFiles { certificate, key, client_ca } = &*self.files;
        [certificate, key, client_ca].into_iter().flatten().map(AsRef::as_ref)
    }

    /// Reads the files again, for the connections to come. After an error the certificates are as before.
    pub(super) fn reload(&self) -> Result<()> {
        if let Some(config) = read(&self.files)? {
            self.current.store(Arc::new(config));
        }
        Ok(())
    }

    /// What greets the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn read(files: &TlsFiles) -> Result<Option<ServerConfig>> {
    let (Some(certificate), Some(key)) = (&files.certificate, &files.key) else { return Ok(None) };
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| refused(key, &error, "name a PEM file with an unencrypted private key"))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(certificate, &error, "report it"))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(authorities) => builder.with_client_cert_verifier(verifier(authorities, provider)?),
    };
    let mut config = builder.with_single_cert(chain, private).map_err(|error| {
        refused(certificate, &error, "check that it is the certificate of the key in tls.key")
    })?;
    config.alpn_protocols = PROTOCOLS.map(Vec::from).into();
    Ok(Some(config))
}

fn verifier(
    authorities: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>> {
    let remedy = "name a PEM file with the certificates of the authorities";
    let mut roots = RootCertStore::empty();
    for authority in certificates(authorities)? {
        roots.add(authority).map_err(|error| refused(authorities, &error, remedy))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| refused(authorities, &error, remedy))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let remedy = "name a PEM file with certificates";
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(refused(path, &"holds no certificate", remedy)),
        Err(error) => Err(refused(path, &error, remedy)),
    }
}

fn refused(path: &Path, problem: &dyn std::fmt::Display, remedy: &str) -> Error {
    Error::Config { place: path.display().to_string(), problem: problem.to_string(), remedy: remedy.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_at_fault_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (cert, key) in [("a.pem", "a.key"), ("b.pem", "b.key")] {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            std::fs::write(path(cert), made.cert.pem()).unwrap();
            std::fs::write(path(key), made.signing_key.serialize_pem()).unwrap();
        }
        std::fs::write(path("empty"), "").unwrap();
        let load = |certificate: &str, key: &str, client_ca: Option<&str>| {
            Tls::load(&TlsFiles {
                certificate: Some(path(certificate)),
                key: Some(path(key)),
                client_ca: client_ca.map(path),
            })
        };
        assert!(load("a.pem", "a.key", Some("b.pem")).unwrap().is_some());
        for (certificate, key, client_ca, at_fault) in [
            ("none", "a.key", None, "none"),
            ("a.pem", "none", None, "none"),
            ("empty", "a.key", None, "empty"),
            ("a.pem", "empty", None, "empty"),
            ("a.pem", "b.key", None, "a.pem"),
            ("a.pem", "a.pem", None, "a.pem"),
            ("a.pem", "a.key", Some("empty"), "empty"),
            ("a.pem", "a.key", Some("a.key"), "a.key"),
        ] {
            let error = load(certificate, key, client_ca).err().unwrap().to_string();
            assert!(error.contains(&*path(at_fault).to_string_lossy()), "{error}");
        }
        assert!(Tls::load(&TlsFiles::default()).unwrap().is_none());
    }
}
