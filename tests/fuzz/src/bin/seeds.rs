//! Writes what the fuzzer begins with: a folder for each target, in the folder that is the argument.

use std::{env, fs, path::PathBuf};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| "seeds".into()));
    for target in logto_fuzz::TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
