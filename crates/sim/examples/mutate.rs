//! `mutate ENTRY ROOT` changes the files below ROOT as the entry says and prints who should notice:
//! `sim`, or the package, the test file and the test. `scripts/mutants` runs it.

use std::process::ExitCode;
use std::{env, fs, path::Path};

use steward_sim::mutant::{CaughtBy, Mutant};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what the program is for")]
fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let (Some(entry), Some(root)) = (args.next(), args.next()) else {
        eprintln!("usage: mutate ENTRY ROOT");
        return ExitCode::FAILURE;
    };
    match mutate(&entry, Path::new(&root)) {
        Ok(CaughtBy::Simulator) => println!("sim"),
        Ok(CaughtBy::Test { package, file, name }) => println!("{package} {file} {name}"),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn mutate(entry: &str, root: &Path) -> Result<CaughtBy, String> {
    let text = fs::read_to_string(entry).map_err(|error| format!("{entry}: {error}"))?;
    let mutant = Mutant::parse(&text)?;
    for (file, text) in mutant.apply(root)? {
        fs::write(root.join(&file), text).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(mutant.caught_by)
}
