// Package examples holds three things for each example machine: its source, the compiled program, and a machine file for
// fatty machine run. README.md says what they do and how they were compiled; Files has them for `fatty devnet`.
package examples
