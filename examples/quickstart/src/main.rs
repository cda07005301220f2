//! Starts the quickstart, or checks it.

use std::{error::Error, process::ExitCode};

use logto::{ReqwestClient, client::Context};
use quickstart::{
    app::App,
    args::{Args, Command, USAGE},
    check,
    tenant::Tenant,
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let args = Args::parse(std::env::args_os().skip(1))?;
    match args.command {
        Command::Help => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Check => {
            let report = match Tenant::real_from_env()? {
                Some(tenant) => check::run_at(&tenant, args.storage).await?,
                None => check::run(args.storage).await?,
            };
            match report.is_good() {
                true => Ok(ExitCode::SUCCESS),
                false => Ok(ExitCode::FAILURE),
            }
        }
        Command::Serve => serve(&args).await,
    }
}

async fn serve(args: &Args) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let tenant = Tenant::from_env().await?;
    let context = Context::new(ReqwestClient::new()?);
    let logto = tenant.logto()?.context(context.clone());
    let mut app = App::new(logto, args.storage.unwrap_or_default()).await?;
    if let Some(users) = tenant.demo_users() {
        app = app.with_demo_users(users);
    }
    if let Some(logto) = tenant.embedded() {
        app = app.with_embedded(logto.clone());
    }
    if let Some(config) = tenant.machine() {
        app = app.with_machine(config.clone(), context.clone())?;
    }
    if let Some(config) = tenant.device() {
        app = app.with_device(config.clone(), context)?;
    }
    let listener = tenant.bind().await?;
    println!("{}", tenant.greeting(app.config(), app.storage()));
    axum::serve(listener, app.router())
        .with_graceful_shutdown(async {
            // Without the signal there is nothing to wait for but the end of the process.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    Ok(ExitCode::SUCCESS)
}
