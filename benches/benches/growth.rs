//! Medians of the same job for more and more of something: `cargo bench --bench growth`.

fn main() {
    for mut contest in logto_benches::growth::contests() {
        println!("{}", contest.time(300));
    }
}
