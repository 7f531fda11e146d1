package vm

// hints0 is every Cairo 0 hint the VM knows, by the SHA-256 of its text, joined from the modules' tables.
var hints0 = indexHints0(
	hints0Machine,
	hints0Math,
	hints0Arrays,
	hints0Dict,
	hints0Uint256,
	hints0Merkle,
)
