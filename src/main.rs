//! tarjoman on the command line.

fn main() {}
