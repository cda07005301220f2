//! Medians of every contest: `cargo bench --bench time -- [part of a title [part of a name]]`.

fn main() {
    let turns = std::env::var("TURNS")
        .ok()
        .and_then(|turns| turns.parse().ok())
        .unwrap_or(300);
    for mut contest in logto_benches::chosen() {
        println!("{}", contest.time(turns));
    }
}
