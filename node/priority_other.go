//go:build !linux

package node

// lowerPriority does nothing where a priority is the whole process's: agreement would be slowed as well.
func lowerPriority() {}
