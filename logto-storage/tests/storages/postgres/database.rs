//! Databases that a test has for itself, and a second client to prepare them.

use std::process::Command;

use crate::common::stores;

/// A database on the server of the tests, without any table.
pub(super) struct Database {
    name: String,
    server: String,
}

impl Database {
    pub(super) fn create() -> Self {
        let server = stores::server("LOGTO_TEST_POSTGRES_URL");
        let name = stores::unique("test").replace('-', "_");
        psql(&server, &format!("CREATE DATABASE {name}"));
        Self { name, server }
    }

    /// Its URL for the superuser.
    pub(super) fn url(&self) -> String {
        self.url_for("postgres")
    }

    /// Its URL for a user, who may have a password: `user:password`.
    pub(super) fn url_for(&self, user: &str) -> String {
        let (_, address) = self.server.split_once('@').unwrap();
        let (address, _) = address.split_once('/').unwrap();
        format!("postgres://{user}@{address}/{}", self.name)
    }

    /// A role that may log in, and nothing else.
    pub(super) fn role(&self) -> String {
        let role = stores::unique("role").replace('-', "_");
        self.run(&format!("CREATE ROLE {role} LOGIN"));
        role
    }

    pub(super) fn run(&self, sql: &str) -> String {
        psql(&self.url(), sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let _ = Command::new("psql")
            .args([&self.server, "-c", &drop])
            .output();
    }
}

/// Runs statements and returns what they print.
pub(super) fn psql(url: &str, sql: &str) -> String {
    let output = Command::new("psql")
        .args([url, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
        .args(["--set=ON_ERROR_STOP=1", "--command", sql])
        .output()
        .expect("install psql, as ci/install.sh does");
    assert!(output.status.success(), "{sql}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
