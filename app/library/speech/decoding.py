"""Decoding of a recording's sound into pieces of samples; part of the confined program (`child.py`).

The format is forced to the one that was detected by content, so no playlist or list of files is ever read, and every
further address that a file names is refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler

from app.library.parsers.blocks import ParseError
from app.library.speech.cut_short import is_cut_short, states_length

RATE = 16_000
# Pieces of one to five minutes cost the same; five minutes take 150 MB more than two.
PIECE_S = 120
# A piece ends at the quietest moment of its last seconds, so that no word is cut.
_SEARCH_S = 20
_QUIET_S = 0.2
LONGEST_S = 8 * 3600
# Differences between the times of frames and the samples so far that are no gap.
_GAP_S = 0.5
_FORMATS = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/aiff": "aiff",
    "audio/aac": "aac",
    "audio/mp4": "mp4",
    "video/mp4": "mp4",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
}

Samples = Any  # of numpy, float32, one channel


def _refuse(address: str, flags: int, options: object) -> object:
    raise PermissionError("a recording that names another file")


class SoundTrack:
    """The sound of a recording. duration_s is known after opening, `cut_short` after the last piece."""

    def __init__(self, path: Path, media_type: str) -> None:
        self.path, self.media_type = path, media_type
        self.duration_s: float | None = None
        self.cut_short = False
        self._position = 0  # samples

    def pieces(self, start_s: float = 0.0) -> Iterator[tuple[float, Samples]]:
        """Yield pieces with the second at which each begins, the first at `start_s` or later.

        Raises:
            ParseError: no_sound, broken_file, file_too_complex.
        """
        try:
            with (
                self.path.open("rb") as file,
                av.open(
                    file,
                    format=_FORMATS[self.media_type],
                    options={"protocol_whitelist": "none"},
                    io_open=_refuse,
                    metadata_errors="ignore",
                ) as container,
            ):
                if not container.streams.audio:
                    raise ParseError("no_sound", "a video without a sound track")
                stream = container.streams.audio[0]
                if stream.duration and stream.time_base:
                    self.duration_s = float(stream.duration * stream.time_base)
                elif container.duration:
                    self.duration_s = container.duration / av.time_base
                yield from _cut(self._blocks(container, stream), round(start_s * RATE))
        except (av.error.FFmpegError, OSError) as error:
            raise ParseError("broken_file", f"{self.media_type}: {type(error).__name__}") from error
        self._end_check()

    def _blocks(self, container: Any, stream: Any) -> Iterator[Samples]:
        """Yield samples as they are decoded, silence where frames are missing."""
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        begin_s = (container.start_time or 0) / av.time_base
        for frame in self._frames(container, stream):
            if frame is not None and frame.time is not None:
                gap = round((frame.time - begin_s) * RATE) - self._position
                while gap > _GAP_S * RATE:
                    yield self._counted(np.zeros(min(gap, 10 * RATE), np.float32))
                    gap -= 10 * RATE
            for resampled in resampler.resample(frame):
                yield self._counted(resampled.to_ndarray().reshape(-1).astype(np.float32) / 32768)
        if not self._position:
            raise ParseError("broken_file", "a sound track without a readable part")

    def _counted(self, samples: Samples) -> Samples:
        self._position += len(samples)
        if self._position > LONGEST_S * RATE:
            raise ParseError("file_too_complex", f"a recording of more than {LONGEST_S // 3600} hours")
        return samples

    def _frames(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield the frames that can be decoded, then None, with which the resampler gives its last samples."""
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                self.cut_short = True
                break
            if packet is None:
                break
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in frames:
                # Some files change their sampling rate in the middle, others have times that go back.
                frame.pts = frame.pts if frame.pts is None or frame.pts >= 0 else None
                yield frame
        yield None

    def _end_check(self) -> None:
        """Find out whether the file ends before the recording does."""
        lost_s = (self.duration_s or 0.0) - self._position / RATE
        if is_cut_short(self.path, self.media_type) or (lost_s > 0.5 and states_length(self.path, self.media_type)):
            self.cut_short = True
        if self.cut_short or not self.duration_s:
            self.duration_s = self._position / RATE


def _cut(blocks: Iterator[Samples], skip: int) -> Iterator[tuple[float, Samples]]:
    """Collect blocks into pieces, without the first `skip` samples."""
    held: list[Samples] = []
    length, first = 0, skip
    for block in blocks:
        if skip:
            dropped = min(skip, len(block))
            skip -= dropped
            block = block[dropped:]
        held.append(block)
        length += len(block)
        while length >= PIECE_S * RATE:
            piece = np.concatenate(held)
            end = quiet_place(piece[: PIECE_S * RATE])
            held, length = [piece[end:]], length - end
            yield first / RATE, piece[:end]
            first += end
    if length:
        yield first / RATE, np.concatenate(held)


def quiet_place(piece: Samples) -> int:
    """Return the middle of the quietest moment in the last seconds of a piece."""
    window = int(_QUIET_S * RATE)
    tail = piece[-_SEARCH_S * RATE :]
    windows = tail[: len(tail) // window * window].reshape(-1, window)
    quietest = int(np.square(windows).mean(axis=1).argmin())
    return int(len(piece) - len(tail) + quietest * window + window // 2)
