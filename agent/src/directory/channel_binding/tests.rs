//! Bindings of certificates whose digests another program computed (`openssl dgst`).

use super::*;

macro_rules! certificate {
    ($name:literal) => {
        include_bytes!(concat!("certificates/", $name, ".der")).as_slice()
    };
}

fn hex(binding: Vec<u8>) -> String {
    let digest = binding.strip_prefix(PREFIX).unwrap();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_hash_of_the_signature_is_the_hash_of_the_binding() {
    let expected = [
        (certificate!("rsa-sha256"), "6fe79c0e90db454fcafe8e2bc2abb65b3310e281a49a61a91ba39259833f15db"),
        (
            certificate!("rsa-sha384"),
            "8309c77d85534187ecd2be5af2143631ac9d40b19087c28b1c2da59e987e9b6af04bc005d3d65fecd7cc712452fe101d",
        ),
        (
            certificate!("ecdsa-sha512"),
            "0bcf1ea6086ed9d3f761c3a146092183ad78b075c9530178fa441c04f1cbfe74\
             d147167551d2c3ee6b1d4a3c530640371c6c4f0cf9e83939b301bfb26945756c",
        ),
    ];
    for (certificate, digest) in expected {
        assert_eq!(hex(of(certificate).unwrap()), digest);
    }
}

#[test]
fn sha1_is_replaced_by_sha256() {
    let (pkcs1, pss) = (certificate!("rsa-sha1"), certificate!("pss-sha1"));

    assert_eq!(hex(of(pkcs1).unwrap()), "0c721031dd72bba4e726f8f2575a48dd9f3064f21c3c573a9cf3f5622674b906");
    assert_eq!(hex(of(pss).unwrap()), "aa2faa03fdb505810e10db1c308535263071d731c42b74c7b3f14aeb0bb29546");
}

#[test]
fn rsa_pss_names_its_hash_in_its_parameters() {
    let digest = "72db4907f9aa8eba3b7b2f32db4bbff3e6bac0228fe7f696af9a58d86d45549046cf93f789d0b5721161bde764d36592";

    assert_eq!(hex(of(certificate!("pss-sha384")).unwrap()), digest);
}

#[test]
fn where_the_standard_defines_no_binding_none_is_sent() {
    assert_eq!(of(certificate!("ed25519")), None);
    assert_eq!(of(certificate!("pss-mixed")), None);
    assert_eq!(of(b"no certificate"), None);
}
