//! Medians of every contest: `cargo bench --bench time -- [part of a title [part of a name]]`.

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|one| !one.starts_with('-'))
        .collect();
    let part = |place: usize| arguments.get(place).map_or("", String::as_str);
    let turns = std::env::var("TURNS")
        .ok()
        .and_then(|turns| turns.parse().ok())
        .unwrap_or(300);
    for contest in logto_benches::all() {
        if contest.title().contains(part(0)) {
            println!("{}", contest.only(part(1)).time(turns));
        }
    }
}
