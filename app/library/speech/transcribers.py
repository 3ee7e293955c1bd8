"""The choice of the transcriber: the deployment's server, else the packaged model."""

from django.conf import settings

from app.errors import IngestFailed
from app.library.speech.local import LocalTranscriber
from app.library.speech.protocol import Transcriber
from app.library.speech.reading_process import packages_missing
from app.library.speech.remote import RemoteTranscriber
from app.llm.embedding_models import ModelMissing
from app.llm.speech_models import speech_model_choose
from app.llm.transcription import TranscriptionClient, transcription_endpoint


def transcriber_choose() -> Transcriber:
    """Return the transcriber of this deployment.

    Raises:
        IngestFailed: speech_not_installed; a server needs the packages too, which decode what it is sent.
    """
    if missing := packages_missing():
        raise IngestFailed("speech_not_installed", details={"seen": f"without {', '.join(missing)}"})
    endpoint = transcription_endpoint()
    if endpoint is not None:
        return RemoteTranscriber(TranscriptionClient(endpoint))
    try:
        return LocalTranscriber(speech_model_choose(settings.SPEECH_MODEL))
    except ModelMissing as error:
        raise IngestFailed("speech_not_installed", details={"seen": str(error)}) from error
