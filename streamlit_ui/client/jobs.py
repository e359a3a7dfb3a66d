"""What the training service is asked to do: preflight, training, the queue, and what there is to choose from."""

from shared.contracts.events import JobLog
from shared.contracts.jobs import DataAvailability, FeatureCatalogue, Job, JobList, ModelTypeList, PhaseList
from shared.contracts.model_request import CreateModel, TuneModel
from shared.contracts.preflight import PreflightReport
from shared.contracts.training import CreatedJob, JobStatus, JobType
from streamlit_ui.client.transport import Service


def preflight(training: Service, request: CreateModel | TuneModel) -> PreflightReport:
    """Give what a job of this request would meet at this moment."""
    return training.send("POST", "/models/preflight", PreflightReport, body=request)


def create_model(training: Service, request: CreateModel) -> CreatedJob:
    """Ask for a model."""
    return training.send("POST", "/models/create", CreatedJob, body=request)


def tune_model(training: Service, request: TuneModel) -> CreatedJob:
    """Ask for a model whose hyper-parameters are searched for."""
    return training.send("POST", "/models/tune", CreatedJob, body=request)


def list_jobs(
    training: Service, *, status: JobStatus | None = None, job_type: JobType | None = None, limit: int = 100,
    offset: int = 0,
) -> JobList:  # fmt: skip
    """Give a page of jobs, newest first."""
    return training.get("/queue", JobList, status=status, job_type=job_type, limit=limit, offset=offset)


def get_job(training: Service, job_id: int) -> Job:
    """Give one job with its result, folds and trials."""
    return training.get(f"/queue/{job_id}", Job)


def get_log(training: Service, job_id: int, *, limit: int = 500) -> JobLog:
    """Give what happened to a job, newest last."""
    return training.get(f"/queue/{job_id}/log", JobLog, limit=limit)


def cancel_job(training: Service, job_id: int) -> Job:
    """Cancel a waiting or running job."""
    return training.send("POST", f"/queue/{job_id}/cancel", Job)


def retry_job(training: Service, job_id: int) -> Job:
    """Run a failed or cancelled job again."""
    return training.send("POST", f"/queue/{job_id}/retry", Job)


def list_features(training: Service) -> FeatureCatalogue:
    """Give everything a model can look at."""
    return training.get("/features", FeatureCatalogue)


def list_phases(training: Service) -> PhaseList:
    """Give the stages in the life of a coin."""
    return training.get("/phases", PhaseList)


def list_model_types(training: Service) -> ModelTypeList:
    """Give the kinds of models with their hyper-parameters."""
    return training.get("/model-types", ModelTypeList)


def get_data_availability(training: Service) -> DataAvailability:
    """Give what coin_metrics holds."""
    return training.get("/data-availability", DataAvailability)
