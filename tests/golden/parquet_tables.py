"""Writes Parquet files as pyarrow does, for the tests of archives.

    pip install pyarrow==26.0.1
    python tests/golden/parquet_tables.py
"""

import decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent / "parquet"

TABLE = pa.table(
    {
        "id": pa.array(range(5), pa.int64()),
        "price": pa.array([decimal.Decimal(f"{n}.50") for n in range(5)], pa.decimal128(9, 2)),
        "text": pa.array(["سلام a", None, "", "خوب c", "سلام a"], pa.string()),
        "parts": pa.array(
            [[{"t": "یک d", "n": 1}, {"t": None, "n": 2}], None, [], [{"t": "دو e", "n": 3}], [None]],
            pa.list_(pa.struct([("t", pa.string()), ("n", pa.int32())])),
        ),
        "article": pa.array([{"body": f"متن {n} f"} for n in range(5)], pa.struct([("body", pa.large_string())])),
    }
)


def main():
    FOLDER.mkdir(exist_ok=True)
    pq.write_table(TABLE, FOLDER / "zstd.parquet", row_group_size=3, compression="zstd", write_page_index=True)
    pq.write_table(
        TABLE, FOLDER / "pages.parquet", compression="snappy", use_dictionary=False, data_page_version="2.0", version="2.6"
    )


main()
