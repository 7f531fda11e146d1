package hash

// The digests of TestGolden: words in hexadecimal.
const (
	goldenLeaf       = "650d4f28 66d23d57 119ce26a 7304e6a1 412574a5 91e8d1f 29447bb4 ddde6e7 "
	goldenNode       = "656ab85 3b3f5284 362a817 7e217b63 c3f876b 11e84836 5145aa24 220647fc "
	goldenTranscript = "1c768b68 78e558da 3ea39a36 6b68d0e7 40982011 707f5b79 511e641a 496b3328 "
)
