// Package examples holds three things for each example machine: its source, the compiled program, and a machine file for
// fatty machine run. There is no Go code beside the test that runs them; README.md says what they do and how they were
// compiled.
package examples
