//! How often each contender asks for memory: `cargo bench --bench allocations`.

use allocation_counter::measure;

fn main() {
    for mut contest in logto_benches::all() {
        let table = contest.count(["allocations", "bytes"], |job| {
            let counted = measure(job);
            [counted.count_total, counted.bytes_total]
        });
        println!("{table}");
    }
}
