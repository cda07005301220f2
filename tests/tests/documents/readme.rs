//! The program of the README is one that compiles: the shortest example.

const README: &str = include_str!("../../../README.md");
const SHORTEST: &str = include_str!("../../../examples/axum/src/bin/shortest.rs");

#[test]
fn the_program_of_the_readme_is_the_shortest_example() {
    let (_, program) = SHORTEST.split_once("\n\n").unwrap();
    let (_, shown) = README.split_once("```rust,no_run\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    assert_eq!(shown, program);
    let code = program.lines().filter(|line| !line.is_empty());
    assert!(code.count() <= 20);
}
