/*
 * Every shape a structure takes in C. Beside it:
 *   sample.btf          gcc -g -O1 -c sample.c; pahole -J sample.o (gcc 12, pahole 1.24); its .BTF
 *   sample.pahole.txt   pahole -F btf -C sample sample.o, less its lines on holes
 *   sample.bpftool.txt  bpftool btf dump file sample.o
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef struct { int counter; } atomic_t;

enum colour { RED, GREEN = 7, BLUE = -1 };
enum wide { LOW = 1, HIGH = 0x123456789abcdef0ull };

struct later;
struct entry { u64 addr; u64 size; u32 type; } __attribute__((packed));

struct sample {
	u8 first;
	u32 aligned;
	u8 low : 3, middle : 4;
	u32 straddles : 20;
	union {
		u64 whole;
		struct { u32 half[2]; };
		u8 : 1;
	};
	struct { atomic_t count; enum { IDLE, BUSY } state; } named;
	struct entry table[2][3];
	const char *const text;
	int (*callback)(struct sample *self, const void *data, ...);
	void (*handlers[4])(void);
	struct later *later;
	enum colour colour;
	enum wide wide;
	double ratio;
	volatile _Bool flag;
	u8 tail[];
};

struct sample instance = { .text = "" };
int used(struct sample *sample, enum wide wide) { return sample->first + (int)wide; }
