//! Signs a program or an MSI, and verifies what was signed. Without a certificate a test certificate is made, which no
//! Windows trusts.

use crate::shell::{self, Outcome};
use clap::Args as ClapArgs;
use std::path::{Path, PathBuf};

#[derive(ClapArgs, Default)]
pub struct Args {
    /// PEM file with the certificate for signing code, and those above it.
    #[arg(long, requires = "sign_key")]
    sign_certificate: Option<PathBuf>,
    /// PEM file with its key. A key in a hardware token is named as a PKCS#11 URI by osslsigncode itself: sign the results by hand.
    #[arg(long, requires = "sign_certificate")]
    sign_key: Option<PathBuf>,
    /// Time stamp service; a signature without a time stamp ends with its certificate.
    #[arg(long)]
    timestamp_url: Option<String>,
}

pub struct Signer {
    certificate: PathBuf,
    key: PathBuf,
    timestamp_url: Option<String>,
}

impl Signer {
    pub fn prepare(args: &Args, out: &Path) -> Outcome<Self> {
        let timestamp_url = args.timestamp_url.clone();
        if let (Some(certificate), Some(key)) = (args.sign_certificate.clone(), args.sign_key.clone()) {
            return Ok(Self { certificate, key, timestamp_url });
        }
        let (certificate, key) = (out.join("test-certificate.pem"), out.join("test-key.pem"));
        if !certificate.exists() || !key.exists() {
            println!("windows: no certificate was given; a test certificate signs");
            make_test_certificate(&certificate, &key)?;
        }
        Ok(Self { certificate, key, timestamp_url })
    }

    /// Writes the signed file beside or over what was there.
    pub fn sign(&self, from: &Path, to: &Path) -> Outcome {
        // osslsigncode overwrites nothing.
        let _ = std::fs::remove_file(to);
        let mut command = shell::command("osslsigncode");
        command.args(["sign", "-h", "sha256", "-n", "Rollcall Agent", "-certs"]).arg(&self.certificate);
        command.arg("-key").arg(&self.key);
        if let Some(url) = &self.timestamp_url {
            command.args(["-ts", url]);
        }
        shell::run(command.arg("-in").arg(from).arg("-out").arg(to))?;
        shell::run(shell::command("osslsigncode").args(["verify", "-CAfile"]).arg(&self.certificate).arg("-in").arg(to))
    }
}

fn make_test_certificate(certificate: &Path, key: &Path) -> Outcome {
    let mut command = shell::command("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "rsa:3072",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=Rollcall test signing",
    ]);
    command.args(["-addext", "extendedKeyUsage=codeSigning", "-addext", "keyUsage=digitalSignature", "-quiet"]);
    shell::run(command.arg("-out").arg(certificate).arg("-keyout").arg(key))
}
