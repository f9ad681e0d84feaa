mod mutants;
mod shipped;
