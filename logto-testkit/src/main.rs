//! A Logto for development: it listens on a fixed port and needs nothing.

use std::{error::Error, process::ExitCode};

use logto_testkit::{Logto, demo};

const DEFAULT_PORT: u16 = 3001;
const HELP: &str = "\
Serves a Logto for development on this machine, with users to sign in as.

Usage: logto-testkit [OPTIONS]

  --port PORT            where it listens; 0 takes a free port [default: 3001]
  --base-url URL         where the application is [default: http://localhost:3000]
  --callback-path PATH   the path of its redirect URI [default: /callback]
";

struct Options {
    port: u16,
    base_url: String,
    callback_path: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|it| it == "--help" || it == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match parse(&arguments).map_err(Into::into).and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        port: DEFAULT_PORT,
        base_url: demo::BASE_URL.to_owned(),
        callback_path: "/callback".to_owned(),
    };
    for pair in arguments.chunks(2) {
        let [name, value] = pair else {
            return Err(format!("{} needs a value\n\n{HELP}", pair[0]));
        };
        match name.as_str() {
            "--port" => {
                let port = value.parse();
                options.port = port.map_err(|_| format!("--port {value:?}: this is no port"))?;
            }
            "--base-url" => value
                .trim_end_matches('/')
                .clone_into(&mut options.base_url),
            "--callback-path" if value.starts_with('/') => {
                value.clone_into(&mut options.callback_path)
            }
            "--callback-path" => return Err("--callback-path has to begin with /".to_owned()),
            _ => return Err(format!("{name} is no option\n\n{HELP}")),
        }
    }
    Ok(options)
}

/// Serves until the process is killed.
fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let Options {
            port,
            base_url,
            callback_path,
        } = options;
        let tenant = Logto::demo_for(&base_url, &callback_path);
        let server = tenant.listen(port).await.map_err(|error| {
            let reason = error.source().map(|source| format!(": {source}"));
            let reason = reason.unwrap_or_default();
            format!("{error}{reason}; choose another port with --port")
        })?;
        println!("A Logto for development. Start your application with\n");
        for (name, value) in demo::variables(server.logto(), &base_url) {
            println!("export {name}='{value}'");
        }
        println!(
            "\nopen {base_url} and sign in as {}.\n\
             Registered are the redirect URI {base_url}{callback_path}, the post sign-out redirect URI \
             {base_url}/\nand the back-channel logout URI {base_url}/back-channel-logout. Ctrl-C ends.",
            demo::USERS
        );
        std::future::pending().await
    })
}
