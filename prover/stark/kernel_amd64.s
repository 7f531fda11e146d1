//go:build !purego

#include "textflag.h"

// Sixteen field elements of 32 bits stand in one register. Products are made of even and odd entries apart, in 64 bits:
// VPMULUDQ reads the low half of each 64-bit entry. A product is below p^2; 4 p^2 and p * 2^32 + 2 p^2 are below 2^64; so
// of a sum below p * 2^32 two more products may be added before it is reduced by p * 2^32 again. A sum below p * 2^32
// has the Montgomery reduction (sum + m p) / 2^32 below 2p.

#define P $0x7f000001
#define PINVNEG $0x7effffff

// ODDMASK selects the even 32-bit entries: those into which the results of the even products are moved.
#define ODDMASK $0x5555

// CONSTANTS sets Z31 to p, Z30 to -1/p mod 2^32, Z29 to p * 2^32.
#define CONSTANTS \
	MOVL         P, AX       \
	VPBROADCASTD AX, Z31     \
	VPSLLQ       $32, Z31, Z29 \
	MOVL         PINVNEG, AX \
	VPBROADCASTD AX, Z30     \
	MOVL         ODDMASK, AX \
	KMOVW        AX, K3

// MODADD sets d to a + b mod p.
#define MODADD(a, b, d, t) \
	VPADDD  a, b, d   \
	VPSUBD  Z31, d, t \
	VPMINUD t, d, d

// REDUCE turns a sum below p * 2^32 into its Montgomery reduction, in the upper halves.
#define REDUCE(a, t) \
	VPMULUDQ a, Z30, t \
	VPMULUDQ t, Z31, t \
	VPADDQ   t, a, a

// LESS takes p * 2^32 from a if it is that large.
#define LESS(a, t) \
	VPSUBQ  Z29, a, t \
	VPMINUQ t, a, a

// func addBlocks(dst, a, b *field.Element, blocks uint64)
TEXT ·addBlocks(SB), NOSPLIT, $0-32
	CONSTANTS
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ blocks+24(FP), CX

add:
	VMOVDQU32 (SI), Z0
	VPADDD    (DX), Z0, Z0
	VPSUBD    Z31, Z0, Z1
	VPMINUD   Z1, Z0, Z0
	VMOVDQU32 Z0, (DI)
	ADDQ      $64, SI
	ADDQ      $64, DX
	ADDQ      $64, DI
	DECQ      CX
	JNZ       add
	VZEROUPPER
	RET

// func subBlocks(dst, a, b *field.Element, blocks uint64)
TEXT ·subBlocks(SB), NOSPLIT, $0-32
	CONSTANTS
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ blocks+24(FP), CX

sub:
	VMOVDQU32 (SI), Z0
	VPSUBD    (DX), Z0, Z0
	VPADDD    Z31, Z0, Z1
	VPMINUD   Z1, Z0, Z0
	VMOVDQU32 Z0, (DI)
	ADDQ      $64, SI
	ADDQ      $64, DX
	ADDQ      $64, DI
	DECQ      CX
	JNZ       sub
	VZEROUPPER
	RET

// PRODUCT sets Z2 to the product of Z0 and even Z1, odd Z3.
#define PRODUCT \
	VPSRLQ    $32, Z0, Z2   \
	VPMULUDQ  Z0, Z1, Z4    \
	VPMULUDQ  Z2, Z3, Z2    \
	REDUCE(Z4, Z5)          \
	REDUCE(Z2, Z6)          \
	VMOVSHDUP Z4, K3, Z2    \
	VPSUBD    Z31, Z2, Z5   \
	VPMINUD   Z5, Z2, Z2

// func mulBlocks(dst, a, b *field.Element, blocks uint64)
TEXT ·mulBlocks(SB), NOSPLIT, $0-32
	CONSTANTS
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ blocks+24(FP), CX

mul:
	VMOVDQU32 (SI), Z0
	VMOVDQU32 (DX), Z1
	VPSRLQ    $32, Z1, Z3
	PRODUCT
	VMOVDQU32 Z2, (DI)
	ADDQ      $64, SI
	ADDQ      $64, DX
	ADDQ      $64, DI
	DECQ      CX
	JNZ       mul
	VZEROUPPER
	RET

// func scaleBlocks(dst, a, s *field.Element, blocks uint64)
TEXT ·scaleBlocks(SB), NOSPLIT, $0-32
	CONSTANTS
	MOVQ         dst+0(FP), DI
	MOVQ         a+8(FP), SI
	MOVQ         s+16(FP), DX
	MOVQ         blocks+24(FP), CX
	VPBROADCASTD (DX), Z1
	VMOVDQA64    Z1, Z3

scale:
	VMOVDQU32 (SI), Z0
	PRODUCT
	VMOVDQU32 Z2, (DI)
	ADDQ      $64, SI
	ADDQ      $64, DI
	DECQ      CX
	JNZ       scale
	VZEROUPPER
	RET

// STEP adds even Z12 and odd Z13 times the weight at offset o to a and b.
#define STEP(o, a, b, s, t) \
	VPBROADCASTQ o(R11), s  \
	VPMULUDQ     Z12, s, t  \
	VPMULUDQ     Z13, s, s  \
	VPADDQ       t, a, a    \
	VPADDQ       s, b, b

// TERM adds the next vector times its six weights.
#define TERM \
	MOVQ      (R10), R12          \
	VMOVDQU32 (R12)(BX*1), Z12    \
	VPSRLQ    $32, Z12, Z13       \
	STEP(0, Z0, Z6, Z14, Z15)     \
	STEP(8, Z1, Z7, Z16, Z17)     \
	STEP(16, Z2, Z8, Z18, Z19)    \
	STEP(24, Z3, Z9, Z20, Z21)    \
	STEP(32, Z4, Z10, Z22, Z23)   \
	STEP(40, Z5, Z11, Z24, Z25)   \
	ADDQ      $24, R10            \
	ADDQ      $48, R11

// LESSALL brings all twelve sums below p * 2^32.
#define LESSALL \
	LESS(Z0, Z14)  \
	LESS(Z1, Z15)  \
	LESS(Z2, Z16)  \
	LESS(Z3, Z17)  \
	LESS(Z4, Z18)  \
	LESS(Z5, Z19)  \
	LESS(Z6, Z20)  \
	LESS(Z7, Z21)  \
	LESS(Z8, Z22)  \
	LESS(Z9, Z23)  \
	LESS(Z10, Z24) \
	LESS(Z11, Z25)

// ACCUMULATE adds the reduction of even a and odd b to the coordinate whose slice is at offset o.
#define ACCUMULATE(o, a, b, t) \
	REDUCE(a, t)                 \
	REDUCE(b, t)                 \
	VMOVSHDUP a, K3, b           \
	VPSUBD    Z31, b, t          \
	VPMINUD   t, b, b            \
	MOVQ      o(DI), R12         \
	VPADDD    (R12)(BX*1), b, b  \
	VPSUBD    Z31, b, t          \
	VPMINUD   t, b, b            \
	VMOVDQU32 b, (R12)(BX*1)

// func addScaledBlocks(acc *extVec, xs *koalabear.Vector, w *uint64, n, blocks uint64)
TEXT ·addScaledBlocks(SB), NOSPLIT, $0-40
	CONSTANTS
	MOVQ acc+0(FP), DI
	MOVQ xs+8(FP), R8
	MOVQ w+16(FP), R9
	MOVQ n+24(FP), DX
	MOVQ blocks+32(FP), CX
	XORQ BX, BX              // byte offset of the block

block:
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	VPXORQ Z4, Z4, Z4
	VPXORQ Z5, Z5, Z5
	VPXORQ Z6, Z6, Z6
	VPXORQ Z7, Z7, Z7
	VPXORQ Z8, Z8, Z8
	VPXORQ Z9, Z9, Z9
	VPXORQ Z10, Z10, Z10
	VPXORQ Z11, Z11, Z11
	MOVQ   R8, R10
	MOVQ   R9, R11
	MOVQ   DX, SI

pair:
	CMPQ SI, $2
	JLT  single
	TERM
	TERM
	LESSALL
	SUBQ $2, SI
	JMP  pair

single:
	TESTQ SI, SI
	JZ    reduce
	TERM
	LESSALL

reduce:
	ACCUMULATE(0, Z0, Z6, Z14)
	ACCUMULATE(24, Z1, Z7, Z15)
	ACCUMULATE(48, Z2, Z8, Z16)
	ACCUMULATE(72, Z3, Z9, Z17)
	ACCUMULATE(96, Z4, Z10, Z18)
	ACCUMULATE(120, Z5, Z11, Z19)
	ADDQ $64, BX
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET

// LOAD loads the block of the coordinate whose slice is at offset o.
#define LOAD(o, base, z) \
	MOVQ      o(base), R12 \
	VMOVDQU32 (R12)(BX*1), z

// FIRST sets the six sums to x times a row of the matrix, MORE adds x times another row.
#define FIRST(x, m0, m1, m2, m3, m4, m5) \
	VPMULUDQ x, m0, Z21 \
	VPMULUDQ x, m1, Z22 \
	VPMULUDQ x, m2, Z23 \
	VPMULUDQ x, m3, Z24 \
	VPMULUDQ x, m4, Z25 \
	VPMULUDQ x, m5, Z26

#define MORE(x, m0, m1, m2, m3, m4, m5) \
	VPMULUDQ x, m0, Z27   \
	VPMULUDQ x, m1, Z28   \
	VPADDQ   Z27, Z21, Z21 \
	VPADDQ   Z28, Z22, Z22 \
	VPMULUDQ x, m2, Z27   \
	VPMULUDQ x, m3, Z28   \
	VPADDQ   Z27, Z23, Z23 \
	VPADDQ   Z28, Z24, Z24 \
	VPMULUDQ x, m4, Z27   \
	VPMULUDQ x, m5, Z28   \
	VPADDQ   Z27, Z25, Z25 \
	VPADDQ   Z28, Z26, Z26

#define LESSSIX \
	LESS(Z21, Z27) \
	LESS(Z22, Z28) \
	LESS(Z23, Z27) \
	LESS(Z24, Z28) \
	LESS(Z25, Z27) \
	LESS(Z26, Z28)

// SUMS makes the six sums of products of the entries in the low halves. Row d of the matrix is basis element d times y:
// Z0..Z5 hold y; Z6, Z7, Z8 3y1, 3y3, 3y5; Z9, Z10, Z11 y4+y5, y4+3y5, 3(y4+y5); Z12, Z13, Z14 the same of y2, y3.
#define SUMS \
	FIRST(Z15, Z0, Z1, Z2, Z3, Z4, Z5)    \
	MORE(Z16, Z6, Z0, Z7, Z2, Z8, Z4)     \
	MORE(Z17, Z10, Z9, Z0, Z1, Z2, Z3)    \
	MORE(Z18, Z11, Z10, Z6, Z0, Z7, Z2)   \
	LESSSIX                               \
	MORE(Z19, Z13, Z12, Z10, Z9, Z0, Z1)  \
	MORE(Z20, Z14, Z13, Z11, Z10, Z6, Z0) \
	LESSSIX                               \
	REDUCE(Z21, Z27)                      \
	REDUCE(Z22, Z28)                      \
	REDUCE(Z23, Z27)                      \
	REDUCE(Z24, Z28)                      \
	REDUCE(Z25, Z27)                      \
	REDUCE(Z26, Z28)

#define SHIFT(z) VPSRLQ $32, z, z

// STORE joins the even result on the stack with the odd one and stores it.
#define STORE(s, o, z) \
	VMOVDQU32 s(SP), Z27        \
	VMOVSHDUP Z27, K3, z        \
	VPSUBD    Z31, z, Z28       \
	VPMINUD   Z28, z, z         \
	MOVQ      o(DI), R12        \
	VMOVDQU32 z, (R12)(BX*1)

// func mulExtBlocks(dst, x, y *extVec, blocks uint64)
TEXT ·mulExtBlocks(SB), NOSPLIT, $384-32
	CONSTANTS
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	MOVQ blocks+24(FP), CX
	XORQ BX, BX

ext:
	LOAD(0, DX, Z0)
	LOAD(24, DX, Z1)
	LOAD(48, DX, Z2)
	LOAD(72, DX, Z3)
	LOAD(96, DX, Z4)
	LOAD(120, DX, Z5)
	LOAD(0, SI, Z15)
	LOAD(24, SI, Z16)
	LOAD(48, SI, Z17)
	LOAD(72, SI, Z18)
	LOAD(96, SI, Z19)
	LOAD(120, SI, Z20)
	MODADD(Z1, Z1, Z6, Z21)
	MODADD(Z3, Z3, Z7, Z22)
	MODADD(Z5, Z5, Z8, Z23)
	MODADD(Z1, Z6, Z6, Z24)
	MODADD(Z3, Z7, Z7, Z25)
	MODADD(Z5, Z8, Z8, Z26)
	MODADD(Z4, Z5, Z9, Z21)
	MODADD(Z4, Z8, Z10, Z22)
	MODADD(Z9, Z9, Z11, Z23)
	MODADD(Z2, Z3, Z12, Z24)
	MODADD(Z2, Z7, Z13, Z25)
	MODADD(Z12, Z12, Z14, Z26)
	MODADD(Z9, Z11, Z11, Z27)
	MODADD(Z12, Z14, Z14, Z28)
	SUMS
	VMOVDQU32 Z21, 0(SP)
	VMOVDQU32 Z22, 64(SP)
	VMOVDQU32 Z23, 128(SP)
	VMOVDQU32 Z24, 192(SP)
	VMOVDQU32 Z25, 256(SP)
	VMOVDQU32 Z26, 320(SP)
	SHIFT(Z0)
	SHIFT(Z1)
	SHIFT(Z2)
	SHIFT(Z3)
	SHIFT(Z4)
	SHIFT(Z5)
	SHIFT(Z6)
	SHIFT(Z7)
	SHIFT(Z8)
	SHIFT(Z9)
	SHIFT(Z10)
	SHIFT(Z11)
	SHIFT(Z12)
	SHIFT(Z13)
	SHIFT(Z14)
	SHIFT(Z15)
	SHIFT(Z16)
	SHIFT(Z17)
	SHIFT(Z18)
	SHIFT(Z19)
	SHIFT(Z20)
	SUMS
	STORE(0, 0, Z21)
	STORE(64, 24, Z22)
	STORE(128, 48, Z23)
	STORE(192, 72, Z24)
	STORE(256, 96, Z25)
	STORE(320, 120, Z26)
	ADDQ $64, BX
	DECQ CX
	JNZ  ext
	VZEROUPPER
	RET
