package stark

// SetWorkers changes the number of goroutines that a proof uses, for tests, and returns what undoes it.
func SetWorkers(n int) (undo func()) {
	before := workers
	workers = func() int { return n }
	return func() { workers = before }
}
