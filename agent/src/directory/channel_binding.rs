//! Decides what ties a Kerberos sign-in to the TLS connection around it: `tls-server-end-point` of RFC 5929 section 4.
//!
//! It is the hash of the server's certificate, by the hash function of the certificate's own signature; MD5 and SHA-1
//! are replaced by SHA-256. RSA-PSS names its hash in its parameters. EdDSA names none, and the RFC leaves the binding
//! undefined then: none is sent, and a domain controller that insists on one refuses (RC-2107).

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::ber::{Malformed, take};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

const PREFIX: &[u8] = b"tls-server-end-point:";

/// The binding for a certificate in DER; `None` where RFC 5929 defines none.
pub fn of(certificate: &[u8]) -> Option<Vec<u8>> {
    let hash = signature_hash(certificate).ok().flatten()?;
    let digest = match hash {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    };
    Some([PREFIX, &digest].concat())
}

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm { OID, parameters }, signature }` (RFC 5280 4.1)
fn signature_hash(certificate: &[u8]) -> Result<Option<Hash>, Malformed> {
    let body = take(certificate, 0x30)?.content;
    let algorithm = take(take(body, 0x30)?.rest, 0x30)?.content;
    let oid = take(algorithm, 0x06)?;
    match oid.content {
        RSA_PSS => pss_hash(oid.rest),
        other => Ok(named_in(other)),
    }
}

const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];

/// The hash that a signature algorithm has in its name.
fn named_in(oid: &[u8]) -> Option<Hash> {
    const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
    const ECDSA_SHA2: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    match (oid.split_last()?, oid) {
        // md5 and sha1 with RSA, then the SHA-2 family.
        ((4 | 5 | 11, PKCS1), _) | ((2, ECDSA_SHA2), _) | (_, ECDSA_SHA1) => Some(Hash::Sha256),
        ((12, PKCS1), _) | ((3, ECDSA_SHA2), _) => Some(Hash::Sha384),
        ((13, PKCS1), _) | ((4, ECDSA_SHA2), _) => Some(Hash::Sha512),
        _ => None,
    }
}

/// `RSASSA-PSS-params ::= SEQUENCE { [0] hash, [1] mask generation, … }` (RFC 4055 3.1); without one it is SHA-1.
fn pss_hash(parameters: &[u8]) -> Result<Option<Hash>, Malformed> {
    let parameters = take(parameters, 0x30)?.content;
    let Ok(tagged) = take(parameters, 0xa0) else { return Ok(Some(Hash::Sha256)) };
    let hash = take(take(tagged.content, 0x30)?.content, 0x06)?.content;
    let Ok(masked) = take(tagged.rest, 0xa1) else { return Ok(digest_named(hash)) };
    let mask = take(take(masked.content, 0x30)?.content, 0x06)?.rest;
    let mask_hash = take(take(mask, 0x30)?.content, 0x06)?.content;
    // Two different functions in one signature: RFC 5929 defines nothing.
    Ok(if mask_hash == hash { digest_named(hash) } else { None })
}

fn digest_named(oid: &[u8]) -> Option<Hash> {
    const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
    const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    match (oid.split_last()?, oid) {
        ((1, SHA2), _) | (_, SHA1) => Some(Hash::Sha256),
        ((2, SHA2), _) => Some(Hash::Sha384),
        ((3, SHA2), _) => Some(Hash::Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
