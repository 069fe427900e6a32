//! Certificates for the processes of a cluster, made by the program `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;

use super::Skip;
use super::process::{find_program, run};
use crate::config::Tls;
use crate::time::millis;

/// An authority in a folder of its own.
pub struct Authority {
    openssl: PathBuf,
    dir: PathBuf,
}

impl Authority {
    /// Makes one in a folder.
    ///
    /// # Errors
    ///
    /// There is no `openssl` here.
    pub fn new(dir: &Path) -> Result<Authority, Skip> {
        let openssl = find_program("openssl")
            .ok_or_else(|| Skip::new("TLS needs `openssl`: apt-get install openssl"))?;
        let authority = Authority { openssl, dir: dir.to_path_buf() };
        let (key, cert) = (authority.file("ca.key"), authority.file("ca.pem"));
        let mut command = authority.request("/CN=an authority");
        command.args(["-x509", "-days", "2", "-keyout"]).arg(key).arg("-out").arg(cert);
        std::fs::create_dir_all(dir)
            .map_err(|error| Skip::new(format!("{}: {error}", dir.display())))?;
        run(command)?;
        Ok(authority)
    }

    /// Key and certificate of a process.
    ///
    /// # Errors
    ///
    /// `openssl` fails.
    pub fn sign(&self, name: &str) -> Result<Tls, Skip> {
        self.sign_with(name, "basicConstraints=CA:FALSE", 2)
    }

    /// Key and certificate of a process; the certificate has just expired.
    ///
    /// # Errors
    ///
    /// `openssl` fails.
    pub fn expired(&self, name: &str) -> Result<Tls, Skip> {
        let tls = self.sign_with(name, "basicConstraints=CA:FALSE", 0)?;
        // It is valid up to the second in which it was made.
        sleep(millis(2_100));
        Ok(tls)
    }

    /// Key and certificate with extensions, valid for so many days.
    ///
    /// # Errors
    ///
    /// `openssl` fails.
    pub fn sign_with(&self, name: &str, extensions: &str, days: u32) -> Result<Tls, Skip> {
        let [key, request, cert, extra] =
            ["key", "csr", "pem", "ext"].map(|end| self.file(&format!("{name}.{end}")));
        let mut command = self.request("/CN=a process");
        command.arg("-keyout").arg(&key).arg("-out").arg(&request);
        run(command)?;
        std::fs::write(&extra, extensions)
            .map_err(|error| Skip::new(format!("{}: {error}", extra.display())))?;
        let mut command = Command::new(&self.openssl);
        command.args(["x509", "-req", "-CAcreateserial", "-days", &days.to_string()]);
        command.arg("-CA").arg(self.file("ca.pem")).arg("-CAkey").arg(self.file("ca.key"));
        command.arg("-extfile").arg(extra).arg("-in").arg(request).arg("-out").arg(&cert);
        run(command)?;
        Ok(Tls { cert, key, ca: self.file("ca.pem") })
    }

    fn request(&self, subject: &str) -> Command {
        let mut command = Command::new(&self.openssl);
        command.args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        command.args(["-subj", subject]);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}
