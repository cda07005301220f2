//! Medians of the same job for more and more of something: `cargo bench --bench growth -- [part of a title]`.

fn main() {
    let mut arguments = std::env::args().skip(1);
    let part = arguments
        .find(|one| !one.starts_with('-'))
        .unwrap_or_default();
    for mut contest in logto_benches::growth::contests() {
        if contest.title().contains(&part) {
            println!("{}", contest.time(300));
        }
    }
}
