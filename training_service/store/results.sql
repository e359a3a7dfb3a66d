-- name: hold_models
-- Nobody deletes these models until the result is written.
SELECT id FROM ml_models WHERE id = ANY(:ids::bigint[]) AND NOT is_deleted ORDER BY id FOR SHARE;

-- name: put_test
-- A repeated test of the same window updates its row.
INSERT INTO ml_test_results (
    model_id, test_start, test_end, accuracy, f1_score, precision_score, recall, roc_auc, mcc, fpr, fnr, simulated_profit_pct,
    expected_value_pct, confusion_matrix, tp, tn, fp, fn, num_samples, num_positive, num_negative, has_overlap, overlap_note,
    train_accuracy, train_f1, train_precision, train_recall, accuracy_degradation, f1_degradation, is_overfitted,
    test_duration_days, metrics, warnings, job_id
) VALUES (
    :model_id, :test_start, :test_end, :accuracy, :f1_score, :precision_score, :recall, :roc_auc, :mcc, :fpr, :fnr,
    :simulated_profit_pct, :expected_value_pct, :confusion_matrix, :tp, :tn, :fp, :fn, :num_samples, :num_positive,
    :num_negative, :has_overlap, :overlap_note, :train_accuracy, :train_f1, :train_precision, :train_recall,
    :accuracy_degradation, :f1_degradation, :is_overfitted, :test_duration_days, :metrics, :warnings, :job_id
)
ON CONFLICT (model_id, test_start, test_end) DO UPDATE SET
    accuracy = excluded.accuracy, f1_score = excluded.f1_score, precision_score = excluded.precision_score,
    recall = excluded.recall, roc_auc = excluded.roc_auc, mcc = excluded.mcc, fpr = excluded.fpr, fnr = excluded.fnr,
    simulated_profit_pct = excluded.simulated_profit_pct, expected_value_pct = excluded.expected_value_pct,
    confusion_matrix = excluded.confusion_matrix, tp = excluded.tp, tn = excluded.tn, fp = excluded.fp, fn = excluded.fn,
    num_samples = excluded.num_samples, num_positive = excluded.num_positive, num_negative = excluded.num_negative,
    has_overlap = excluded.has_overlap, overlap_note = excluded.overlap_note, train_accuracy = excluded.train_accuracy,
    train_f1 = excluded.train_f1, train_precision = excluded.train_precision, train_recall = excluded.train_recall,
    accuracy_degradation = excluded.accuracy_degradation, f1_degradation = excluded.f1_degradation,
    is_overfitted = excluded.is_overfitted, test_duration_days = excluded.test_duration_days, metrics = excluded.metrics,
    warnings = excluded.warnings, job_id = excluded.job_id, updated_at = now()
RETURNING id;

-- name: insert_comparison
INSERT INTO ml_comparisons (
    model_ids, model_a_id, model_b_id, test_start, test_end, test_result_ids, winner_id, results, warnings, job_id
) VALUES (
    :model_ids, :model_a_id, :model_b_id, :test_start, :test_end, :test_result_ids, :winner_id, :results, :warnings, :job_id
) RETURNING id;

-- name: get_test
SELECT * FROM ml_test_results WHERE id = :id;

-- name: tests_by_ids
-- Without metrics, which are larger than all the rest.
SELECT
    id, model_id, test_start, test_end, accuracy, f1_score, precision_score, recall, roc_auc, mcc, fpr, fnr,
    simulated_profit_pct, expected_value_pct, confusion_matrix, tp, tn, fp, fn, num_samples, num_positive, num_negative,
    has_overlap, overlap_note, train_accuracy, train_f1, train_precision, train_recall, accuracy_degradation, f1_degradation,
    is_overfitted, test_duration_days, warnings, job_id, created_at, updated_at
FROM ml_test_results WHERE id = ANY(:ids::bigint[]);

-- name: list_tests
-- Without metrics, which are larger than all the rest.
SELECT
    id, model_id, test_start, test_end, accuracy, f1_score, precision_score, recall, roc_auc, mcc, fpr, fnr,
    simulated_profit_pct, expected_value_pct, confusion_matrix, tp, tn, fp, fn, num_samples, num_positive, num_negative,
    has_overlap, overlap_note, train_accuracy, train_f1, train_precision, train_recall, accuracy_degradation, f1_degradation,
    is_overfitted, test_duration_days, warnings, job_id, created_at, updated_at
FROM ml_test_results
WHERE (:model_id::bigint IS NULL OR model_id = :model_id)
ORDER BY created_at DESC, id DESC
LIMIT :limit OFFSET :offset;

-- name: count_tests
SELECT count(*) FROM ml_test_results WHERE (:model_id::bigint IS NULL OR model_id = :model_id);

-- name: delete_test
-- Comparisons that were made of it keep their own figures, and forget the row that is gone.
WITH deleted AS (
    DELETE FROM ml_test_results WHERE id = :id RETURNING id
), forgotten AS (
    UPDATE ml_comparisons
    SET test_result_ids = (
        SELECT coalesce(jsonb_agg(test_id ORDER BY place), '[]')
        FROM jsonb_array_elements(test_result_ids) WITH ORDINALITY AS tests (test_id, place)
        WHERE test_id <> to_jsonb(:id::bigint)
    )
    WHERE test_result_ids @> to_jsonb(:id::bigint) AND EXISTS (SELECT FROM deleted)
)
SELECT true FROM deleted;

-- name: get_comparison
SELECT * FROM ml_comparisons WHERE id = :id;

-- name: comparisons_by_ids
-- Without the results, which are larger than all the rest.
SELECT
    id, model_ids, model_a_id, model_b_id, test_start, test_end, test_result_ids, winner_id, warnings, job_id, created_at
FROM ml_comparisons WHERE id = ANY(:ids::bigint[]);

-- name: list_comparisons
-- Without the results, which are larger than all the rest.
SELECT
    id, model_ids, model_a_id, model_b_id, test_start, test_end, test_result_ids, winner_id, warnings, job_id, created_at
FROM ml_comparisons
ORDER BY created_at DESC, id DESC
LIMIT :limit OFFSET :offset;

-- name: count_comparisons
SELECT count(*) FROM ml_comparisons;

-- name: delete_comparison
DELETE FROM ml_comparisons WHERE id = :id RETURNING true;
