//! The program `outlast`.

fn main() -> std::process::ExitCode {
    outlast::cli::run()
}
