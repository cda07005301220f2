//! Signs in with `logto`: prints the URL for the browser, takes the callback, and says who is signed in.

use std::io::stdin;

use logto::{
    LogtoClient, LogtoConfig, ReqwestClient, SignIn, core::sign_in::Callback,
    storage::MemoryStorage,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = LogtoConfig::builder(std::env::var("LOGTO_ENDPOINT")?, "app-id")
        .app_secret("secret")
        .base_url("http://localhost:3000")
        .build()?;
    let http = ReqwestClient::new()?;
    let client = LogtoClient::builder(config, http, MemoryStorage::new()).build()?;
    let (url, pending) = client.sign_in(&SignIn::new()).await?;
    println!("{url}");
    let mut callback = String::new();
    stdin().read_line(&mut callback)?;
    let callback = Callback::from_query(callback.trim())?;
    let completed = client.complete_sign_in(Some(pending), callback, []).await?;
    println!("{}", completed.session.claims().sub);
    Ok(())
}
