"""Binary workbooks: an .xls that another program wrote, and .xlsb files record by record."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence

from tests.data.workbooks import zipped

# Sheets Cover and Data, which has id, size, day and town in its third row and 24 rows below.  Written with xlwt 1.3.0.
_OLD = (
    "c-rmQTZkJ~7zglgCYfY%zh^gDUBiM^dx2(GYej0TuJ)m9sft)Hps5>S>AETDqHKMzTK7>9eDd;As1G94%R{Ty7H^2CSgD{;P<AW$"
    "U_nrHk+R+RoqxU@_tYbFL04M#gq$<y%*-$UWF}`O`RYVw=D?ffSvs%WL;+f8M<}#t%;9IG+es6zZ@1NAxApniUMUw<iTHdVLmnMX"
    "d=Xa1P#y1Ca_NoW2V4`K=H~;no3=G48kJ=%w;)5^Q5iNlK|c3fdYPX|Dj`=E^~0!hs9(pn@1edKBhRAV#M{m|_tA;kw$&TuJl^3B"
    "U|o`HhmK&MQy8gIfj(8|@srOvoozkZ+#0KoUt}x#gK;`Yd`P!6CK@f(PthwBCAyc(x{;A}!^1O_=fi!Fes5QZe(Qd(-><BUFYmZR"
    "JpP9{9{z`MpAX{s<IlT6qJ7kU$WbTrG$qLO)EbX&Z9dj$O;en9U>Xn7aDB2qPrkE(dzH?Ny}8nA>~6Lu<3xAW#~XVp%||LD^(p=?"
    "jE%CpXKZgHKr~vP;?89A@d>8atHOhKk3TBCDzDr+H{M-2DD9B6*GhYxv>T+oUfPY)-q2~Q>!qzqD_&K+s(4lLs^V3}tBO|@Z&18J"
    "@dm{k9Ez$d8fL(>F#{$rFT}YXr4*Jkm>tsmiOs+I%gK?Q+iMSEWFM}2oonNj>OfGNo>F`8&PlzdQ?JGzYfwK8wGYc>)OkK&+^*VQ"
    "kcHd#W1DBNb``(Q5X#rJs}?O^&CAng?s&U@`iI&zynJZO?B4vLZ)*o=fUnh~yuW(vr?t*n=fxLPd8gKG9hpVHLtXmYjOx2-$=;S5"
    "fE1lma|oAA=Ptp`(qXkJ&$xe;<@i+lsB=bNYM-hjTex_4<`yotP<5xLKEHtOx!eotUVwX^SOJR_fTfPgG0q!+HOKb@S$gXuWp%bu"
    "N?4SjMF~RjMF~Rbn^($VtpuS&MDZ+&2PG<s2jwiXysH(@$P%(BAt*6XLQq~ir<CJb2^m?!79|WNE=m~60<wIlm9UY;w<tc8geX3g"
    "8=-un72n7bu_zHJNl_yD`;w*4v=TA0L@i1bN=lR{l+U4jsg<aaC1z1#P|~8rpoE~D)Jn|A61OOEC>c@WQ0{k?@{LyFMwWy{NkGYp"
    "l7JFLmQz|u7+I1QB?%=bN)pPMfKtBKO47)ZvM4Dic~MeOlE`veD=8yO+M=YP6huiwdBRi5k6K9^Suz$S1EnZR21*uLe$q<D$da`v"
    "StvcCWTC{uO8HqUStCo%qU50Tijsp;M3!H*k~6a8ElM6rNt8U4mwctnX(exDDOi*Ol(HxVC}m_htCfP0rD#!#Q2InELRk}4%7Rvk"
    "MwT9n(gWo(QF@^CcYe=&+*NvvEWH+`7s}<L^g=lrQ%XoHy+)RjMJYk)7o`Mc09m41DH&PH7Nrd33Q@{XwkDL4)Jj=r!5stH?ig0e"
    "|54QahPtK%<ZjB7d$q9qufrG6_QJ~FB$sTtlbZaP<X?lg(FC_Gnp)ENQzXynTFwRT)BV3tm3#QrTeORIBFC;JpT9hBI*Z@W1@D;t"
    "_r5|)ef@={<ou6c|4$*D%+m"
)


def old() -> bytes:
    """The .xls."""
    return zlib.decompress(base64.b85decode(_OLD))


def xlsb(sheets: Mapping[str, Sequence[Sequence[object]]], extent: tuple[int, int] | None = None) -> bytes:
    """A workbook of numbers, texts and None; ``extent`` is what the sheets say of their last row and column."""
    names = list(sheets)
    texts = sorted({cell for rows in sheets.values() for row in rows for cell in row if isinstance(cell, str)})
    relations = "".join(
        f'<Relationship Id="rId{k}" Target="worksheets/sheet{k}.bin"/>' for k in range(1, len(names) + 1)
    )
    bundles = [record(156, struct.pack("<II", 0, k) + wide(f"rId{k}") + wide(name)) for k, name in enumerate(names, 1)]
    parts = {
        "xl/_rels/workbook.bin.rels": f"<Relationships>{relations}</Relationships>".encode(),
        "xl/workbook.bin": record(131) + record(143) + b"".join(bundles) + record(144) + record(132),
        "xl/sharedStrings.bin": record(159, struct.pack("<II", len(texts), len(texts)))
        + b"".join(record(19, b"\0" + wide(text)) for text in texts) + record(160),
    }  # fmt: skip
    for k, rows in enumerate(sheets.values(), 1):
        last = extent or (len(rows) - 1, max(map(len, rows)) - 1)
        cells = b"".join(_row(r, row, texts) for r, row in enumerate(rows))
        head = record(129) + record(148, struct.pack("<IIII", 0, last[0], 0, last[1])) + record(145)
        parts[f"xl/worksheets/sheet{k}.bin"] = head + cells + record(146) + record(130)
    return zipped(parts)


def _row(r: int, row: Sequence[object], texts: list[str]) -> bytes:
    found = record(0, struct.pack("<IIHHBII", r, 0, 300, 0, 0, 0, 0))
    for column, cell in enumerate(row):
        place = struct.pack("<II", column, 0)
        if isinstance(cell, str):
            found += record(7, place + struct.pack("<I", texts.index(cell)))
        elif isinstance(cell, Exception):
            found += record(3, place + b"\x2a")
        elif cell is not None:
            found += record(5, place + struct.pack("<d", cell))
    return found


def record(kind: int, body: bytes = b"") -> bytes:
    """One record: its number and its length, seven bits a byte, and its content."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = len(body)
    while size > 127:
        head, size = head + bytes([size & 0x7F | 0x80]), size >> 7
    return head + bytes([size]) + body


def wide(text: str) -> bytes:
    """A text with its length."""
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")
