"""A small project: the sources that the command lines compile."""
# ruff: noqa: E501

SOURCES = {
    "a.c": r"""
#include <stdio.h>
#include <assert.h>
#include "h.h"
#define TWICE(x) ((x) + \
                  (x))
#ifndef N
#define N 3
#endif
static int counter;
struct point { int x, y; };
int add(struct point *p, int n)
{
    if (n > LIMIT || n < N) counter++;
    assert(p != NULL);
    for (int i = 0; i < n; i++) { counter += TWICE(
        p->x); }
    printf("%s:%d %s\n", __FILE__, __LINE__, __func__);
    return MAX(p->x,
               p->y) + counter + helper(N);
}
#line 70 "other.y"
int after_line(void) { return __LINE__; }
""",
    "plain.c": "int answer(int x)\n{\n    return x * 42;\n}\n",
    "warn.c": "#include \"h.h\"\nint f(void)\n{\n    int unused = LIMIT;\n    return 0;\n}\n",
    "broken.c": "int f(void)\n{\n    return nothing;\n}\n",
    "missing.c": "#include \"nowhere.h\"\n",
    "macro.c": """#define SWAP(a, b) t = a; a = b; b = t
int g(int a, int b) { int t; if (a > b) SWAP(a, b); return a - b; }
""",
    "fall.c": """int g(int a)
{
    switch (a) {
    case 1:
        a = 2;
        /* fall through */
    case 2:
        return a;
    }
    return 0;
}
""",
    "once.c": '#include "once.h"\n#include "once.h"\n#include "sys.h"\nint z(void) { return ONCE + SYS; }\n',
    "date.c": "const char *when = __DATE__;\n",
    "stamp.c": "const char *when = __BASE_FILE__;\n",
    "utf8.c": 'const char *s = "\u00e9\u2713";\n#pragma GCC poison malloc\nint u(void) { return sizeof "\u00e9"; }\n',
    "gnu.c": """#ident "an ident"
#pragma pack(push, 1)
struct p { char c; int i; };
#pragma pack(pop)
int size(void) { return sizeof(struct p) + __COUNTER__ + __COUNTER__; }
__asm__(".globl sym\\nsym: .quad 0");
""",
    "lib/b.c": '#include "../h.h"\n#include <inner.h>\nint b(int x) { return MAX(x, INNER) + LIMIT; }\n',
    "t.cc": r"""
#include <vector>
#include "h.h"
namespace { struct Base { virtual ~Base() {} virtual int f() { return 1; } }; struct D : Base { int f() override { return 2; } }; }
template <class T> T clamp(T a, T b) { return MAX(a, b); }
static std::vector<int> all(LIMIT);
int use(int n) { D d; Base &b = d; all.push_back(n); auto l = [&](int q) { return q + n; }; return l(b.f()) + clamp(n, 3); }
inline int twice(int x) { if (x > 3) throw x; return 2 * x; }
int call(int y) { try { return twice(y); } catch (int) { return 0; } }
""",
    "vector.c": """#include <immintrin.h>
int sum(int *a, int n)
{
    int s = 0;
#pragma omp parallel for reduction(+ : s)
    for (int i = 0; i < n; i++) s += a[i];
    return s + _mm256_extract_epi32(_mm256_set1_epi32(n), 1);
}
""",
    "pragma.c": "#define A 1\n#pragma push_macro(\"A\")\n#undef A\n#define A 2\nint x = A;\n#pragma pop_macro(\"A\")\nint y = A;\n",
    "extname.c": "#pragma redefine_extname zz yy\nint zz(void);\nint f(void) { return zz(); }\n",
    "place.cc": """#include <source_location>
#include <string>
#define HERE(x) where(x)
int where(int a, std::source_location s = std::source_location::current());
int calls(int a) { return   HERE(a) + where(1); }
template <class... T> auto all(T... t) { return (HERE(t) + ...); }
int some() { return all(1, 2, 3); }
""",
    "s.cpp": "struct S { S(); int v; };\nstatic S s;\nint r() { return s.v; }\n",
    "raw.cc": 'const char *raw = R"x(\n#pragma once\n// "text\n)x";\nint after() { return __LINE__; }\n',
    "init.cc": "#include \"h.h\"\nnamespace { struct A { A() { x = 3; } static int x; } a; int A::x; }\n",
    "o.m": "@interface Thing { int n; }\n- (int)n;\n@end\n@implementation Thing\n- (int)n { return n; }\n@end\n",
    "o.mm": "@interface Thing { int n; }\n- (int)n;\n@end\n@implementation Thing\n- (int)n { return n; }\n@end\n",
    "asm.S": "#include \"h.h\"\n.globl q\nq: .quad LIMIT\n",
    "asm.s": ".globl q\nq: .quad 7\n",
    "h.h": """#ifndef H_H
#define H_H
#define LIMIT 7
#define MAX(a, b) ((a) > (b) ? (a) : (b))
static inline int helper(int k) { return k +
    LIMIT; }
#endif
""",
    "once.h": "#pragma once\n#define ONCE 5\nstatic inline int once(void) { return ONCE; }\n",
    "sys.h": "#pragma GCC system_header\n#define SYS 6\nstatic inline int sys(void) { int q; return SYS; }\n",
    "forced.h": "#define FORCED 1\nint forced(int);\n",
    "inc/inner.h": "#define INNER 11\n",
    "words.rsp": "-O2 -DN=9\n'-DTEXT=\"a b\"' \\-Iinc",
    "noext": "int noext(void) { return 1; }\n",
    "conftest.c": "int main(void) { return 0; }\n",
    "a b.c": "int spaced(void) { return 2; }\n",
    "do$lar.c": "#include \"h.h\"\nint dollar(void) { return LIMIT; }\n",
    "x.y.c": "int dotted(void) { return 3; }\n",
    "UP.C": "int upper() { return 4; }\n",
    "w.CPP": "int cpp() { return 4; }\n",
    "nomark.i": "int nomark(void) { return 5; }\n",
    "fort.f90": "end\n",
}  # fmt: skip
