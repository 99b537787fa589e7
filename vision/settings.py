"""Every setting of the product. Only entry points (command line, worker, API factory) read it."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class Settings(BaseSettings):
    """Read from the environment, prefix VISION_, and from a file .env in the working directory."""

    model_config = SettingsConfigDict(env_prefix="VISION_", env_file=".env", extra="ignore")

    data_dir: Path = Field(
        default=Path("data"), description="Everything the embedded profile keeps."
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="sqlite:///PATH or postgresql://…; default: SQLite in the data folder.",
    )
    blobs_url: str | None = Field(
        default=None,
        description="file:///PATH, az://CONTAINER or s3://BUCKET; default: the data folder.",
    )
    broker_url: SecretStr | None = Field(
        default=None,
        description="redis://…; default: what `vision up` starts, else a folder in data_dir.",
    )
    models_dir: Path | None = Field(
        default=None, description="Weights files; default: `models` in the data folder."
    )
    models_mirror: str | None = Field(
        default=None,
        description="A copy of a models folder that `vision models pull` takes everything from:"
        " PATH, file:///PATH, az://CONTAINER or s3://BUCKET.",
    )
    hf_token: SecretStr | None = Field(
        default=None, description="For gated models of the hub; default: HF_TOKEN."
    )

    host: str = Field(default="127.0.0.1", description="Where the API listens.")
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes any free port.")
    max_upload_bytes: int = Field(default=2048 * MIB, ge=1, description="Of one file.")
    max_image_pixels: int = Field(default=100_000_000, ge=1, description="Width times height.")
    max_files_per_request: int = Field(default=100, ge=1, description="In one multipart upload.")
    max_assets_per_job: int = Field(default=10_000, ge=1, description="In one job.")
    max_open_units: int = Field(
        default=100_000, ge=1, description="Ready and leased units of one tenant."
    )
    max_video_seconds: float = Field(default=86_400.0, gt=0, description="Duration of one video.")
    max_video_frames: int = Field(default=5_000_000, ge=1, description="Frames of one video.")
    chunk_frames: int = Field(
        default=150,
        ge=1,
        description="Analysed frames of a video in one unit of work; chunks end at keyframes.",
    )
    video_codec: Literal["vp9", "h264"] = Field(
        default="vp9",
        description="Of annotated videos; h264 is encoded by x264, whose licence is the GPL.",
    )
    decode_seconds: float = Field(
        default=20.0, gt=0, description="Wall clock for one image or one frame."
    )
    decode_memory_bytes: int = Field(
        default=2048 * MIB, ge=256 * MIB, description="Address space of the decode process."
    )

    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N.")
    precision: str = Field(
        default="float32",
        description="On a GPU: float32, bfloat16, float16, or auto: bfloat16 where it is native.",
    )
    cpu_precision: str = Field(
        default="float32",
        description="On a CPU: float32, or bfloat16 where it computes in it (AVX-512 BF16, AMX).",
    )
    model_memory_bytes: int = Field(
        default=8 * 1024 * MIB, ge=1, description="Models kept in memory by one worker."
    )
    embedding_memory_bytes: int = Field(
        default=256 * MIB,
        ge=0,
        description="Embeddings of images kept for further prompts; 0 keeps none.",
    )
    compile_models: bool = Field(
        default=False,
        description="On a GPU: compile the mode fast of masks of everything when it is first asked"
        " for. Needs a C compiler. On a CPU it gains nothing, and isn't done.",
    )
    worker_threads: int = Field(
        default=0, ge=0, description="CPU threads of torch; 0 leaves its own choice."
    )

    lease_seconds: float = Field(default=60.0, gt=0, description="How long a claim holds.")
    heartbeat_seconds: float = Field(default=15.0, gt=0, description="How often it is renewed.")
    stall_seconds: float = Field(
        default=900.0,
        gt=0,
        description="A worker without progress for so long ends itself; no image takes longer.",
    )
    max_fails: int = Field(default=3, ge=1, description="Failures of a unit before quarantine.")
    tick_seconds: float = Field(default=2.0, gt=0, description="Pause between two ticks.")
    drain_seconds: float = Field(
        default=30.0, gt=0, description="From SIGTERM to the end of a worker."
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
