"""Throughput of the spreadsheet parsers against the bare libraries, in CPU seconds of the same run.

    python -m bench.sheets [--rows 50000] [FILE…]

Without files it makes a workbook and a CSV file of that many rows. A bare library yields the values of all cells; the
parsers also find the tables, write values as they are shown, and make a line of each row. `python-calamine` is only
compared where it is installed.
"""

import argparse
import csv
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import openpyxl

from app.library.parsers import parse
from app.library.parsers.detect import detect_media_type

_SEED = 1

Library = tuple[str, Callable[[Path], None]]


def samples(folder: Path, rows: int) -> list[Path]:
    """Write a workbook and a CSV file of the same rows."""
    chance = random.Random(_SEED)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Orders")
    table = [["Order", "Customer", "Product", "Amount", "Price"]]
    for number in range(rows):
        customer, product = f"Customer {chance.randrange(20_000)} Ltd", f"Product {chance.randrange(500)}"
        table.append([str(number), customer, product, str(chance.randrange(100)), f"{chance.random() * 100:.2f}"])
    for at, row in enumerate(table):
        sheet.append(row if not at else [int(row[0]), row[1], row[2], int(row[3]), float(row[4])])
    paths = [folder / "orders.xlsx", folder / "orders.csv"]
    book.save(paths[0])
    with paths[1].open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(table)
    return paths


def seconds(work: Callable[[Path], object], path: Path) -> float:
    started = time.process_time()
    work(path)
    return time.process_time() - started


def with_openpyxl(path: Path) -> None:
    book = openpyxl.load_workbook(path, read_only=True)
    for sheet in book.worksheets:
        for _ in sheet.iter_rows(values_only=True):
            pass


def with_csv(path: Path) -> None:
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for _ in csv.reader(file):
            pass


def with_xlrd(path: Path) -> None:
    book = import_module("xlrd").open_workbook(str(path), formatting_info=True)
    for sheet in book.sheets():
        for row in range(sheet.nrows):
            sheet.row_values(row)


def with_calamine(path: Path) -> None:
    book = import_module("python_calamine").load_workbook(str(path))
    for name in book.sheet_names:
        book.get_sheet_by_name(name).to_python()


def libraries(path: Path) -> list[Library]:
    calamine: list[Library] = [("calamine", with_calamine)] if find_spec("python_calamine") else []
    if path.suffix == ".csv":
        return [("csv", with_csv)]
    if path.suffix == ".xls":
        return [("xlrd", with_xlrd), *calamine]
    return calamine if path.suffix == ".ods" else [("openpyxl", with_openpyxl), *calamine]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in options.files or samples(Path(folder), options.rows):
            media_type = detect_media_type(path, path.name)
            ours = seconds(partial(parse, media_type=media_type), path)
            megabytes = path.stat().st_size / 1e6
            print(f"{path.name}: {ours:.2f} s, {megabytes / ours:.1f} MB/s")
            for name, library in libraries(path):
                bare = seconds(library, path)
                print(f"  {name}: {bare:.2f} s; throughput of the parser over it {bare / ours:.2f}")


if __name__ == "__main__":
    main()
