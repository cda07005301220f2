//! Writes the JavaScript of a WebAssembly module: `bindgen MODULE OUTPUT_FOLDER`.

use std::{env, error::Error};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let (module, folder) = match &env::args().collect::<Vec<_>>()[..] {
        [_, module, folder] => (module.clone(), folder.clone()),
        _ => return Err("usage: bindgen MODULE OUTPUT_FOLDER".into()),
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).web(true)?.typescript(false);
    Ok(bindgen.generate(folder)?)
}
