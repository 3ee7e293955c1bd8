"""Draw one page of a PDF, in a process of its own with little memory and time: `render_page.py PDF PAGE OUT`.

Run as a file, without the rest of Refdesk; it ends with status 0, or with one of the numbers below.
"""

import resource
import sys

import pypdfium2

WIDTH = 1400  # sharp on a panel 700 points wide on a dense screen
HEIGHT_MOST = 5600  # a receipt one metre long is drawn narrower
MEMORY_BYTES = 1024**3
CPU_S = 20
NO_PAGE, BROKEN = 3, 4


def main(source: str, page_number: int, target: str) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        document = pypdfium2.PdfDocument(source)
        if not 1 <= page_number <= len(document):
            return NO_PAGE
        page = document[page_number - 1]
        width, height = page.get_size()
        scale = min(WIDTH / max(width, 1), HEIGHT_MOST / max(height, 1))
        picture = page.render(scale=scale).to_pil().convert("RGB")
        picture.save(target, "PNG", compress_level=4)
    except (pypdfium2.PdfiumError, MemoryError, OSError, ValueError):
        return BROKEN
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
